import type { Frame } from './kernel/frame.ts';
import type { Stage, SyncStage } from './stages/types.ts';

/** The steps of the path; each is a function over a frame, in src/stages under its own name. */
export interface Path {
  readonly decode: Stage;
  readonly enrich: Stage;
  readonly preprocess: SyncStage;
  readonly infer: Stage;
  readonly postprocess: SyncStage;
  readonly details: Stage;
  readonly encode: SyncStage;
  readonly deliver: Stage;
  readonly commit: SyncStage;
}

/**
 * The path: what happens to a frame from the source to the commit.
 * A faulty record is an entry in the frame's fate column; a rejection means that the program or the world is at fault, and ends the run.
 */
export function createPipeline(path: Path): (frame: Frame) => Promise<void> {
  const { decode, enrich, preprocess, infer, postprocess, details, encode, deliver, commit } = path;
  return async (frame) => {
    await decode(frame);
    await enrich(frame);
    preprocess(frame);
    await infer(frame); // micro-batched with the rows of other frames
    postprocess(frame);
    await details(frame);
    encode(frame);
    await deliver(frame); // resolves when every record is settled
    commit(frame);
  };
}
