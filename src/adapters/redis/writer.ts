/**
 * Loads feature rows into Redis as the store reads them (rows.ts).
 *
 * Promise: `write` resolves when Redis has accepted every row; a failed write is retried for up to `giveUpMs`. Other fields stay, as
 * cells do in Bigtable. Limits: Redis has no tables to create, and the last write of a row counts, whatever its time.
 */

import { encodeView } from '../../kernel/cells/feature-cells.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import type { SluiceError } from '../../kernel/errors.ts';
import { retry } from '../../kernel/retry.ts';
import type { FeatureWrite, FeatureWriter } from '../../ports/feature-store.ts';
import { type RedisOptions, translate } from './connection.ts';
import { createLinks } from './links.ts';
import { fieldOf, hashKey, timeFieldOf } from './rows.ts';
import type { RedisDeps } from './store.ts';

export interface RedisWriterOptions extends RedisOptions {
  readonly callTimeoutMs?: number;
  readonly giveUpMs?: number;
}

type Command = { readonly key: Buffer; readonly args: (string | Buffer)[] };

export function createRedisWriter(
  { clock, telemetry, random }: RedisDeps & { readonly random: () => number },
  options: RedisWriterOptions,
): FeatureWriter {
  const { callTimeoutMs = 20_000, giveUpMs = 60_000 } = options;
  const links = createLinks(clock, options);

  async function send(commands: readonly Command[]): Promise<void> {
    try {
      const link = await links.get();
      const all = Promise.all(commands.map(({ key, args }) => link.send(key, false, args)));
      if (await within(clock, deadlineIn(clock, callTimeoutMs), all)) return;
      throw new Error(`no answer within ${callTimeoutMs} ms`);
    } catch (error) {
      links.drop();
      throw translate(error, 'a write of feature rows', options);
    }
  }

  async function persist(table: string, commands: readonly Command[]): Promise<void> {
    const givingUp = new AbortController();
    const timer = clock.after(giveUpMs, () => givingUp.abort());
    const onRetry = (error: SluiceError, attempts: number, delayMs: number): void =>
      telemetry.event('feature-write-retried', { table, reason: error.message, attempts, delayMs });
    try {
      const waits = { initialMs: 100, maxMs: 5_000, signal: givingUp.signal, onRetry };
      await retry({ clock, random }, waits, () => send(commands));
    } finally {
      timer.cancel();
    }
  }

  return {
    ensureTable: (table) => persist(table, []),
    async write(write) {
      const commands: Command[] = [];
      for (let row = 0; row < write.keys.length; row++) {
        const args = fieldsOf(write, row);
        const key = hashKey(write.table, write.keys[row]);
        if (args.length > 0) commands.push({ key, args: ['HSET', key, ...args] });
      }
      if (commands.length > 0) await persist(write.table, commands);
    },
    async close() {
      links.drop();
    },
  };
}

function fieldsOf(write: FeatureWrite, row: number): (string | Buffer)[] {
  const { views, rowWidth, values, present, layout } = write;
  const base = row * rowWidth;
  const at = String(Math.round(write.timestampMs));
  return views.flatMap((view, v) => {
    const missing = view.columns.every(({ offset, width }) =>
      values.subarray(base + offset, base + offset + width).every(Number.isNaN),
    );
    if (present[row * views.length + v] !== 1 || missing) return [];
    return encodeView(layout, view, values, base).flatMap(({ qualifier, value }) => {
      const field = fieldOf(view.family, qualifier);
      return [field, value, timeFieldOf(field), at];
    });
  });
}
