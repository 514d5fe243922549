import { ADDRESS_MISTAKES } from '../../test/fixtures/mistakes/addresses.ts';
import { FILE_MISTAKES } from '../../test/fixtures/mistakes/files.ts';
import type { UserMistake } from '../../test/fixtures/mistakes/mistake.ts';
import { MODEL_MISTAKES } from '../../test/fixtures/mistakes/models.ts';
import { WORLD_MISTAKES } from '../../test/fixtures/mistakes/world.ts';

/** The page of mistakes, made of the table that test/e2e/mistakes.test.ts holds the commands to. */
export function mistakesPage(): string {
  return [
    '# Typical mistakes, and what Sluice says',
    '',
    'Each is made in a copy of the examples by a test, which holds Sluice to name the file or thing, the cause and the remedy.',
    'A finding in a file has line and column, the line itself with a caret, and with `--json` all of it as fields, a `code` for its kind among them. Exit code 2 is',
    'for what a person wrote, 1 for the world.',
    '',
    '## In files: found by `sluice check` and `sluice test`',
    '',
    ...[...FILE_MISTAKES, ...MODEL_MISTAKES].map(entry),
    '## In the command, and in the world around it',
    '',
    ...WORLD_MISTAKES.map(entry),
    ...ADDRESS_MISTAKES.map(entry),
  ].join('\n');
}

function entry({ name, command, code, names, cause, remedy }: UserMistake): string {
  const line = command.map((word) => word.replace('DIR/', '')).join(' ');
  return [
    `### ${name[0].toUpperCase()}${name.slice(1)}`,
    '',
    '```text',
    `$ sluice ${line}`,
    `${names} · ${cause}`,
    `   → ${remedy}`,
    '```',
    '',
    ...(code === 1 ? ['Exit code 1.', ''] : []),
  ].join('\n');
}
