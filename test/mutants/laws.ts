/** A deliberate break of one law in shipped code: `find` occurs exactly once in `file`. */
export interface Mutant {
  readonly law: string;
  readonly what: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export const LAW_MUTANTS: readonly Mutant[] = [
  {
    law: 'L1',
    what: 'a halved chunk sends its first row twice',
    file: 'src/stages/delivery/accumulator.ts',
    find: 'await this.sendOrHalve(part(chunk, 0, middle));',
    replace: 'await this.sendOrHalve(part(chunk, 0, middle)); await this.sendOrHalve(part(chunk, 0, 1));',
  },
  {
    law: 'L2',
    what: 'the watermark passes a frame that is not settled',
    file: 'src/offsets/watermark.ts',
    find: 'frame?.unsettled === 0',
    replace: 'frame !== undefined && queue.frames.some((each) => each?.unsettled === 0)',
  },
  {
    law: 'L3',
    what: 'frames are released as they finish',
    file: 'src/stages/deliver.ts',
    find: "new Sequencer({ ordered: flow.order === 'partition' })",
    replace: 'new Sequencer({ ordered: false })',
  },
  {
    law: 'L4',
    what: 'a grant may overdraw the credit by one request',
    file: 'src/kernel/credit.ts',
    find: 'return this.takenRecords + records <= this.maxRecords && this.takenBytes + bytes <= this.maxBytes;',
    replace: 'return this.takenRecords < this.maxRecords && this.takenBytes < this.maxBytes;',
  },
  {
    law: 'L5',
    what: 'a batch may wait until only half a run is left of its budget',
    file: 'src/batching/policy.ts',
    find: 'const waitMs = (limits.budgetMs - residualMs) / 2 - model.expectedMs(rows);',
    replace: 'const waitMs = limits.budgetMs - model.expectedMs(rows) / 2;',
  },
  {
    law: 'L6',
    what: 'an ended epoch keeps its watermark',
    file: 'src/offsets/watermark.ts',
    find: 'this.queues.delete(origin);',
    replace: 'void origin;',
  },
  {
    law: 'L7',
    what: 'a dead letter whose send fails counts as acknowledged',
    file: 'src/stages/delivery/accumulator.ts',
    find: 'return sink.send(topic, partition, chunk.rows);',
    replace: 'return sink.send(topic, partition, chunk.rows).catch((e) => { if (topic !== "dead") throw e; });',
  },
  {
    law: 'L8',
    what: 'the steps of the shutdown have no deadline',
    file: 'src/runner/shut-down.ts',
    find: 'return await within(clock, deadline, work());',
    replace: 'return (await work(), true);',
  },
];
