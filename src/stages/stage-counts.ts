import type { Counter, Telemetry } from '../ports/telemetry.ts';
import type { Stage, SyncStage } from './types.ts';

export interface StageCounts {
  /** Counts the records that have passed a stage, and those that are in it. */
  counted(stage: string, work: Stage): Stage;
  countedSync(stage: string, work: SyncStage): SyncStage;
}

/** How many records are in each stage, and how many have passed it: two additions per frame and stage. */
export function createStageCounts(telemetry: Telemetry): StageCounts {
  const held = new Map<string, { records: number }>();

  function heldIn(stage: string): { records: number } {
    const known = held.get(stage);
    if (known !== undefined) return known;
    const made = { records: 0 };
    held.set(stage, made);
    telemetry.gauge('sluice_stage_held_records', { stage }, () => made.records);
    return made;
  }

  function passed(stage: string): Counter {
    return telemetry.counter('sluice_stage_records_total', { stage });
  }

  return {
    counted(stage, work) {
      const through = passed(stage);
      const inside = heldIn(stage);
      return (frame) => {
        const { count } = frame;
        const answer = work(frame);
        if (answer === undefined) {
          through.add(count);
          return undefined;
        }
        inside.records += count;
        return answer.then(
          () => {
            inside.records -= count;
            through.add(count);
          },
          (thrown) => {
            inside.records -= count;
            throw thrown;
          },
        );
      };
    },
    countedSync(stage, work) {
      const through = passed(stage);
      return (frame) => {
        work(frame);
        through.add(frame.count);
      };
    },
  };
}
