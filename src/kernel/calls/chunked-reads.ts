import type { Clock, Timer } from '../clock.ts';
import { SluiceError } from '../errors.ts';
import { ConcurrencyLimit } from './call-limit.ts';
import { Pace, type Turn } from './pace.ts';

/**
 * Splits reads into calls for some of their keys each, which take turns (pace.ts), as many at a time as the store can take
 * (call-limit.ts); for any store.
 *
 * Promise: a read ends when every call has ended, or with the first failure, which cancels the others, or when its time is over, counted
 * from the start of its first call. Nothing is repeated here. Limits: waiting for a turn is back pressure and has no time-out; it ends
 * because every earlier read ends.
 */
export interface ChunkedReads<Connection> {
  read(read: KeyedRead<Connection>): Promise<void>;
  /** Something came from the store: it is not deaf. */
  heard(): void;
  /** Calls that may be in flight. */
  readonly allowed: number;
  /** Ends what is under way. */
  close(): void;
}

export interface KeyedRead<Connection> {
  readonly table: string;
  readonly keys: number;
  readonly timeoutMs: number;
  /** Asks for keys [from, to). What comes after `isOver` must change nothing: its rows have another owner by then. */
  readonly ask: (over: Connection, from: number, to: number, isOver: () => boolean) => KeyedCall;
}

export interface KeyedCall {
  readonly ended: Promise<void>;
  cancel(): void;
}

/** What is known of a failed call. */
export interface CallFailure {
  readonly error: SluiceError;
  /** One of few words, for the metric. */
  readonly result: string;
  /** False: nobody answered at all. */
  readonly answered: boolean;
  /** The store has too many calls. */
  readonly overloaded: boolean;
}

export interface ChunkedReadsDeps<Connection> {
  readonly clock: Clock;
  /** Asked once a call, because a connection may be given up between two of them. */
  readonly connected: () => Promise<Connection>;
  readonly onResult: (result: string, calls: number) => void;
  /** Read after read timed out, and nothing came from the server: the connection is dead, whatever TCP says. */
  readonly onDeaf: () => void;
  readonly failureOf: (thrown: unknown, table: string) => CallFailure;
}

export interface ChunkedReadsOptions {
  /** The store's name, for messages. */
  readonly store: string;
  /** Keys per call at most. */
  readonly chunkKeys: number;
  readonly maxCalls: number;
}

const DEAF_AFTER = 2;
/** Calls in flight before anything is known of the store. */
const INITIAL_CALLS = 4;

/** Aborts a read. */
type Abort = (error: SluiceError) => void;

export function createChunkedReads<Connection>(
  deps: ChunkedReadsDeps<Connection>,
  options: ChunkedReadsOptions,
): ChunkedReads<Connection> {
  const { clock, onDeaf, onResult } = deps;
  const { chunkKeys, store } = options;
  const limit = new ConcurrencyLimit({ initial: INITIAL_CALLS, max: options.maxCalls });
  const pace = new Pace(clock, { limit });
  const running = new Map<object, Abort>();
  /** Time-outs since the server was last heard. */
  let unheard = 0;
  let closed: SluiceError | undefined;

  function read(reading: KeyedRead<Connection>): Promise<void> {
    const { table, keys, timeoutMs } = reading;
    const count = Math.ceil(keys / chunkKeys);
    // Asked for before the close, begun after it.
    if (closed !== undefined) return Promise.reject(closed);
    return new Promise((resolve, reject) => {
      const inFlight = new Set<KeyedCall>();
      let over = false;
      let open = count;
      let timer: Timer | undefined;
      const finish = (): void => {
        over = true;
        timer?.cancel();
        running.delete(reading);
      };
      const abort: Abort = (error) => {
        if (over) return;
        finish();
        for (const call of inFlight) call.cancel();
        pace.leave(table, reading);
        reject(error);
      };
      running.set(reading, abort);
      const failed = (error: SluiceError, answered: boolean): void => {
        if (over) return;
        const others = error.code === 'store-unavailable' ? pace.failed(table, reading, answered) : [];
        abort(error);
        // They would have asked the same, and waited as long.
        for (const other of others) running.get(other)?.(error);
      };
      const late = (): void => {
        onResult('timed-out', inFlight.size);
        const text = `${store} did not answer for ${keys} keys of table "${table}" within ${Math.round(timeoutMs)} ms`;
        const isDeaf = ++unheard >= DEAF_AFTER;
        if (isDeaf) unheard = 0;
        failed(new SluiceError('store-unavailable', text), false);
        if (isDeaf) onDeaf();
      };
      const one = async (turn: Turn, i: number): Promise<void> => {
        // From the first call on: with many reads at once, most of the time goes by in the queue, where no server is late.
        timer ??= clock.after(timeoutMs, late);
        const from = Math.floor((i * keys) / count);
        const to = Math.floor(((i + 1) * keys) / count);
        let call: KeyedCall | undefined;
        try {
          const connection = await deps.connected();
          if (over) return;
          const [startedMs, underWay] = [clock.monotonicMs(), pace.running];
          call = reading.ask(connection, from, to, () => over);
          inFlight.add(call);
          await call.ended;
          limit.answered(to - from, clock.monotonicMs() - startedMs, underWay);
          onResult('ok', 1);
          unheard = 0;
          pace.succeeded(table);
          if (--open > 0 || over) return;
          finish();
          resolve();
        } catch (thrown) {
          if (over) return;
          const failure = deps.failureOf(thrown, table);
          onResult(failure.result, 1);
          if (failure.overloaded) limit.overloaded();
          failed(failure.error, failure.answered);
        } finally {
          if (call !== undefined) inFlight.delete(call);
          pace.ended(turn);
        }
      };
      for (let i = 0; i < count; i++) {
        const turn: Turn = { table, read: reading, start: () => void one(turn, i) };
        pace.submit(turn);
      }
    });
  }

  return {
    read,
    heard() {
      unheard = 0;
    },
    get allowed() {
      return limit.usual;
    },
    close() {
      pace.close();
      closed = new SluiceError('store-unavailable', 'the feature store was closed while a read was under way');
      for (const abort of [...running.values()]) abort(closed);
    },
  };
}
