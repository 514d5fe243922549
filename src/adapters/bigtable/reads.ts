import { status } from '@grpc/grpc-js';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { type Call, type Connection, routing } from './connection.ts';
import { codeOf, translate } from './errors.ts';
import type { RowFilter } from './filter.ts';
import { ConcurrencyLimit } from './limit.ts';
import type { BigtableMethods } from './methods.ts';
import { Pace, type Turn } from './pace.ts';
import { RowMerger, type RowTarget } from './rows.ts';

/** Reads over all their keys, as calls that take turns (pace.ts). */
export interface Reads {
  read(table: string, filter: RowFilter, target: RowTarget, timeoutMs: number): Promise<void>;
  /** Ends what is under way. */
  close(): void;
}

export interface ReadsDeps {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Asked once a call, because a connection may be given up between two of them. */
  readonly connected: () => Promise<Connection>;
  readonly methods: () => BigtableMethods;
  /** Read after read timed out, and nothing came from the server: the connection is dead, whatever TCP says. */
  readonly onDeaf: () => void;
}

export interface ReadsOptions {
  readonly chunkKeys: number;
  readonly maxCalls: number;
  readonly appProfile: string | undefined;
}

const DEAF_AFTER = 2;
/** Calls in flight before anything is known of the store. */
const INITIAL_CALLS = 4;

/** A read under way, over all its calls. */
interface Reading {
  readonly table: string;
  readonly filter: RowFilter;
  readonly target: RowTarget;
  over: boolean;
}

/** Ends a read before its time. */
type Abort = (error: SluiceError) => void;

export function createReads(deps: ReadsDeps, options: ReadsOptions): Reads {
  const { clock, telemetry, onDeaf } = deps;
  const { chunkKeys, appProfile } = options;
  const limit = new ConcurrencyLimit({ initial: INITIAL_CALLS, max: options.maxCalls });
  const pace = new Pace(clock, { limit });
  const running = new Map<object, Abort>();
  const calls = (result: string) => telemetry.counter('sluice_store_calls_total', { result });
  /** Time-outs since the server was last heard. */
  let unheard = 0;
  let closed: SluiceError | undefined;
  telemetry.gauge('sluice_store_calls_allowed', {}, () => limit.usual);

  /** One call for keys[from..to). */
  function readChunk(over: Connection, reading: Reading, from: number, to: number): Call {
    const { table, filter, target } = reading;
    const { protos, stream, tableName } = over;
    const name = tableName(table);
    const request = new protos.google.bigtable.v2.ReadRowsRequest({
      tableName: name,
      ...(appProfile !== undefined && { appProfileId: appProfile }),
      rows: { rowKeys: target.keys.slice(from, to) },
      filter,
    });
    const merger = new RowMerger(target, from);
    let broken: unknown;
    const call = stream(deps.methods().readRows, request, routeTo(name), (message) => {
      unheard = 0;
      // A cancelled call may still hand over what was on its way → numbers in rows that have another owner by then.
      if (reading.over || broken !== undefined) return;
      try {
        merger.add(message.chunks);
      } catch (error) {
        broken = error;
        call.cancel();
      }
    });
    const ended = call.ended.then(
      () => merger.end(),
      (error) => {
        throw broken ?? error;
      },
    );
    return { ended, cancel: call.cancel };
  }

  function routeTo(tableName: string) {
    return routing({
      table_name: tableName,
      ...(appProfile !== undefined && { app_profile_id: appProfile }),
    });
  }

  /** Runs calls over all keys; ends when every one ended, or with the first that failed, having cancelled the others. */
  function read(table: string, filter: RowFilter, target: RowTarget, timeoutMs: number): Promise<void> {
    const { keys } = target;
    const count = Math.ceil(keys.length / chunkKeys);
    // Asked for before the close, begun after it.
    if (closed !== undefined) return Promise.reject(closed);
    return new Promise((resolve, reject) => {
      const inFlight = new Set<Call>();
      const reading: Reading = { table, filter, target, over: false };
      let open = count;
      let timer: Timer | undefined;
      const finish = (): void => {
        reading.over = true;
        timer?.cancel();
        running.delete(reading);
      };
      const abort: Abort = (error) => {
        if (reading.over) return;
        finish();
        for (const call of inFlight) call.cancel();
        pace.leave(table, reading);
        reject(error);
      };
      running.set(reading, abort);
      const failed = (error: SluiceError, answered: boolean): void => {
        if (reading.over) return;
        const others = error.code === 'store-unavailable' ? pace.failed(table, reading, answered) : [];
        abort(error);
        // They would have asked the same, and waited as long.
        for (const other of others) running.get(other)?.(error);
      };
      const late = (): void => {
        calls('timed-out').add(inFlight.size);
        const text = `Bigtable did not answer for ${keys.length} keys of table "${table}" within ${Math.round(timeoutMs)} ms`;
        const isDeaf = ++unheard >= DEAF_AFTER;
        if (isDeaf) unheard = 0;
        failed(new SluiceError('store-unavailable', text), false);
        if (isDeaf) onDeaf();
      };
      const one = async (turn: Turn, i: number): Promise<void> => {
        // From the first call on: with many reads at once, most of the time goes by in the queue, where no server is late.
        timer ??= clock.after(timeoutMs, late);
        const from = Math.floor((i * keys.length) / count);
        const to = Math.floor(((i + 1) * keys.length) / count);
        let call: Call | undefined;
        try {
          const over = await deps.connected();
          if (reading.over) return;
          const [startedMs, underWay] = [clock.monotonicMs(), pace.running];
          call = readChunk(over, reading, from, to);
          inFlight.add(call);
          await call.ended;
          limit.answered(to - from, clock.monotonicMs() - startedMs, underWay);
          calls('ok').add(1);
          unheard = 0;
          pace.succeeded(table);
          if (--open > 0 || reading.over) return;
          finish();
          resolve();
        } catch (thrown) {
          if (reading.over) return;
          calls(resultOf(thrown)).add(1);
          if (codeOf(thrown) === status.RESOURCE_EXHAUSTED) limit.overloaded();
          failed(translate(thrown, table), codeOf(thrown) !== status.UNAVAILABLE);
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
    close() {
      pace.close();
      closed = new SluiceError('store-unavailable', 'the feature store was closed while a read was under way');
      for (const abort of [...running.values()]) abort(closed);
    },
  };
}

/** A label of few values: what the server, or the channel, said. */
function resultOf(thrown: unknown): string {
  const code = codeOf(thrown);
  return code === undefined ? 'broken' : status[code].toLowerCase().replaceAll('_', '-');
}
