import type { Command } from 'commander';
import type { Io } from '../io.ts';

const HELP = `
Writes DIR/NAME.yaml, NAME.cases.yaml and NAME.events.jsonl, schemas/ with the event's schema and one of the predictions, and models/NAME/1 with
the model, its preprocessing and golden records. Columns are proposed from names and types alone: numbers and booleans in the
order of the schema, a column a symbol of an enum, a list as it stands. Where they are not as many as the model wants, it says
how many are missing and where to write them.

Example:
  $ sluice init risk --event schemas/flight-departed.avsc --model models/hello/1/model.onnx`;

/** `sluice init`. `done` is told the exit code. */
export function addInit(root: Command, io: Io, done: (code: number) => void): void {
  root
    .command('init')
    .argument('<dir>', 'folder to write into; created if it is missing')
    .description('A new topology from an event schema and a model, ready for check and test.')
    .requiredOption('--event <file>', 'Avro schema of the events, .avsc')
    .requiredOption('--model <file>', 'the model, .onnx')
    .option('--name <name>', 'name of topology, bundle and topics (default: the name of the folder)')
    .option('--force', 'overwrite existing files', false)
    .option('--json', 'what was written as JSON on standard output', false)
    .addHelpText('after', HELP)
    .action(async (dir, options) => {
      const { init } = await import('./init.ts');
      done(await init({ dir, ...options }, io));
    });
}
