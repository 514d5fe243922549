import { stepOf } from './bash.ts';
import { type CompletedCommand, type CompletedOption, commandsOf, type Values } from './tree.ts';

/** A completion script for fish. */
export function fishScript(tree: CompletedCommand): string {
  const all = [...commandsOf(tree)];
  const steps = all.filter(({ path }) => path !== '').map(({ path }) => quoted(stepOf(path)));
  const lines = all.flatMap(({ path, commands, options, argument }) => {
    const here = `complete -c sluice -n ${quoted(path === '' ? '__sluice_at' : `__sluice_at ${path}`)}`;
    return [
      ...commands.map(({ name, description }) => `${here} -a ${quoted(name)} -d ${quoted(description)}`),
      ...options.map((option) => `${here}${optionText(option)}`),
      ...(argument === undefined || commands.length > 0 || argument.kind === 'unknown'
        ? []
        : [`${here}${offer(argument)}`]),
    ];
  });
  return `# fish completion of sluice; written by: sluice completion fish
function __sluice_at
    set -l at ''
    for word in (commandline -opc)[2..-1]
        switch "$at:$word"
            case ${steps.join(' ')}
                set at (string trim "$at $word")
        end
    end
    test "$at" = "$argv"
end
complete -c sluice -f
${lines.join('\n')}
`;
}

function optionText({ names, description, values }: CompletedOption): string {
  const flags = names.map((name) =>
    name.startsWith('--') ? ` -l ${quoted(name.slice(2))}` : ` -s ${quoted(name.slice(1))}`,
  );
  // With -x, fish offers no files besides the listed values.
  const takes = values === undefined ? '' : ` ${isFile(values) ? '-r' : '-x'}${offer(values)}`;
  return `${flags.join('')}${takes} -d ${quoted(description)}`;
}

function offer(values: Values): string {
  if (values.kind === 'words') return ` -a ${quoted(values.words.join(' '))}`;
  if (values.kind === 'folder') return " -a '(__fish_complete_directories)'";
  return values.kind === 'unknown' ? '' : ' -F';
}

function isFile({ kind }: Values): boolean {
  return kind === 'file' || kind === 'topology';
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
