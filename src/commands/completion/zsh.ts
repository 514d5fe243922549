import { stepOf } from './bash.ts';
import { type CompletedCommand, type CompletedOption, commandsOf, type Values } from './tree.ts';

/** A completion script for zsh, to be sourced or installed as _sluice in a folder of fpath. */
export function zshScript(tree: CompletedCommand): string {
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
    ({ path, options: own }) => `      ${quoted(path)}) found=(${own.flatMap(described).join(' ')}) ;;`,
  );
  const positional = all.flatMap(({ path, commands, argument }) => {
    if (commands.length > 0) {
      const found = commands.map(({ name, description }) => entry(name, description));
      return [`    ${quoted(path)}) found=(${found.join(' ')}); _describe command found ;;`];
    }
    return argument === undefined ? [] : [`    ${quoted(path)}) ${offer(argument)} ;;`];
  });
  return `#compdef sluice
# zsh completion of sluice; written by: sluice completion zsh
_sluice() {
  local prev=\${words[CURRENT-1]} at='' word i
  local -a found
  # --option=value is one word to zsh.
  if compset -P '*='; then prev=\${IPREFIX%=}; fi
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    case "$at:$word" in
      ${steps.join('|')}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at:$prev" in
${valued.join('\n')}
  esac
  if [[ $PREFIX == -* ]]; then
    case "$at" in
${options.join('\n')}
    esac
    _describe -o option found
    return
  fi
  case "$at" in
${positional.join('\n')}
  esac
}
if [ "\${funcstack[1]}" = _sluice ]; then _sluice "$@"; else compdef _sluice sluice; fi
`;
}

function described({ names, description }: CompletedOption): string[] {
  return names.map((name) => entry(name, description));
}

function entry(name: string, description: string): string {
  return quoted(`${name.replaceAll(':', '\\:')}:${description}`);
}

function offer(values: Values): string {
  if (values.kind === 'words') return `compadd -- ${values.words.map(quoted).join(' ')}`;
  const by = {
    file: '_files',
    folder: '_files -/',
    topology: "_files -g '*.(yaml|yml|json|ts|mts|js|mjs)~*.cases.yaml'",
    unknown: ':',
  };
  return by[values.kind];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
