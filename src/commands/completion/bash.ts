import { type CompletedCommand, commandsOf, type Values } from './tree.ts';

/** A completion script for bash, 3.2 (macOS) and newer. */
export function bashScript(tree: CompletedCommand): string {
  const all = [...commandsOf(tree)];
  const steps = all.filter(({ path }) => path !== '').map(({ path }) => quoted(stepOf(path)));
  const valued = all.flatMap(({ path, options }) =>
    options.flatMap(({ names, values }) =>
      values === undefined
        ? []
        : [`    ${names.map((name) => quoted(`${path}:${name}`)).join('|')}) ${offer(values)}; return ;;`],
    ),
  );
  const options = all.map(
    ({ path, options: own }) =>
      `      ${quoted(path)}) _sluice_words ${quoted(own.flatMap(({ names }) => names).join(' '))} ;;`,
  );
  const positional = all.flatMap(({ path, commands, argument }) => {
    if (commands.length > 0)
      return [`    ${quoted(path)}) _sluice_words ${quoted(commands.map(({ name }) => name).join(' '))} ;;`];
    return argument === undefined ? [] : [`    ${quoted(path)}) ${offer(argument)} ;;`];
  });
  return `# bash completion of sluice; written by: sluice completion bash
_sluice_words() { COMPREPLY=($(compgen -W "$1" -- "$cur")); }
_sluice_files() {
  local line
  compopt -o filenames 2>/dev/null
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$cur")
}
_sluice_folders() {
  local line
  compopt -o filenames 2>/dev/null
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "$cur")
}
_sluice_topologies() {
  local line
  _sluice_folders
  while IFS= read -r line; do
    case "$line" in
      *.cases.yaml) ;;
      *.yaml|*.yml|*.json|*.ts|*.mts|*.js|*.mjs) COMPREPLY+=("$line") ;;
    esac
  done < <(compgen -f -- "$cur")
}
_sluice() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at='' word i
  COMPREPLY=()
  # --option=value is three words to bash.
  if [ "$cur" = '=' ]; then cur=''
  elif [ "$prev" = '=' ]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$at:$word" in
      ${steps.join('|')}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at:$prev" in
${valued.join('\n')}
  esac
  if [ "\${cur#-}" != "$cur" ]; then
    case "$at" in
${options.join('\n')}
    esac
    return
  fi
  case "$at" in
${positional.join('\n')}
  esac
}
complete -F _sluice sluice
`;
}

/** `dlq list` → `dlq:list`: the current command, and the word that leads to the next. */
export function stepOf(path: string): string {
  const words = path.split(' ');
  return `${words.slice(0, -1).join(' ')}:${words.at(-1)}`;
}

function offer(values: Values): string {
  if (values.kind === 'words') return `_sluice_words ${quoted(values.words.join(' '))}`;
  const by = { file: '_sluice_files', folder: '_sluice_folders', topology: '_sluice_topologies', unknown: ':' };
  return by[values.kind];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
