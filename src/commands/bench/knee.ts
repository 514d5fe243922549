/** Searches for the highest rate that keeps the budget. Pure. */
export interface Knee {
  /** The rate to try; undefined when the search is over. */
  next(): number | undefined;
  tell(rate: number, result: 'keeps' | 'breaks' | 'invalid'): void;
  /** The highest rate that kept the budget; 0 if none did. */
  readonly highest: number;
  /** What stopped the search: the budget, this bench itself, or too many steps. */
  readonly bound: 'budget' | 'bench' | 'steps';
}

const UP = 1.6;
const DOWN = 4;
/** The search ends when the bounds are within this ratio. */
const CLOSE = 1.1;
const MOST_STEPS = 24;

/**
 * Increases the rate until it breaks the budget, then bisects. A rate counts as broken only if it breaks twice, because a single stall
 * of the machine is not the pipeline's limit. A rate that the bench itself cannot sustain bounds the search too, as `bench`.
 */
export function createKnee(from: number): Knee {
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let broken = 0;
  let bound: Knee['bound'] = 'budget';
  let steps = 0;

  return {
    next() {
      if (steps === MOST_STEPS) {
        bound = 'steps';
        return undefined;
      }
      if (broken > 0) return broken;
      if (low === 0 && high === Number.POSITIVE_INFINITY) return from;
      if (high === Number.POSITIVE_INFINITY) return low * UP;
      if (low === 0) return high / DOWN >= 1 ? high / DOWN : undefined;
      return high / low <= CLOSE ? undefined : Math.sqrt(low * high);
    },
    tell(rate, result) {
      steps++;
      if (result === 'keeps') {
        low = Math.max(low, rate);
        broken = 0;
      } else if (broken === rate) {
        high = Math.min(high, rate);
        bound = result === 'invalid' ? 'bench' : 'budget';
        broken = 0;
      } else broken = rate;
    },
    get highest() {
      return low;
    },
    get bound() {
      return bound;
    },
  };
}
