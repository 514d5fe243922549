/**
 * The states of a running pipeline and the events that move it; anything else is refused.
 *
 * | state    | event  | next     |                                                    |
 * |----------|--------|----------|----------------------------------------------------|
 * | starting | ready  | running  | joined, connected, model warm                      |
 * | running  | stop   | draining | a signal, or the end of a bounded source           |
 * | starting | stop   | draining | a signal before the start was complete             |
 * | draining | done   | stopped  | everything settled and committed, or budget passed |
 * | any but stopped | fail | failed | an error that ends the run                        |
 */
export type State = 'starting' | 'running' | 'draining' | 'stopped' | 'failed';
export type LifecycleEvent = 'ready' | 'stop' | 'done' | 'fail';

const NEXT: Readonly<Record<State, Partial<Record<LifecycleEvent, State>>>> = {
  starting: { ready: 'running', stop: 'draining', fail: 'failed' },
  running: { stop: 'draining', fail: 'failed' },
  draining: { done: 'stopped', fail: 'failed' },
  stopped: {},
  failed: {},
};

export class Lifecycle {
  private current: State = 'starting';

  get state(): State {
    return this.current;
  }

  /** Moves on `event`; false if this state does not allow it (a second SIGTERM, a failure after the end). */
  on(event: LifecycleEvent): boolean {
    const next = NEXT[this.current][event];
    if (next === undefined) return false;
    this.current = next;
    return true;
  }
}
