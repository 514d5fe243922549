/** Plays one scene of producing in a process of its own: `node test/faults/mutants/producing-main.ts NAME`; what came of it is a JSON line. */
import { playProducing } from './producing-scenes.ts';

const played = await playProducing(process.argv[2]);
process.stdout.write(`${JSON.stringify(played)}\n`, () => process.exit(0));
