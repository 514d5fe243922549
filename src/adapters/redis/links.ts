/**
 * The single link of one part of the program to Redis: made when it is first needed, and again after it was lost.
 *
 * Promise: `get` resolves within `openTimeoutMs` or rejects with a SluiceError; it never resolves to a broken link.
 */
import type { Clock } from '../../kernel/clock.ts';
import { deadlineIn, within } from '../../kernel/deadline.ts';
import { SluiceError } from '../../kernel/errors.ts';
import { connectRedis, type RedisLink, type RedisOptions, translate, whereOf } from './connection.ts';

export interface Links {
  get(): Promise<RedisLink>;
  /** The link is not to be used again; the next `get` makes another. */
  drop(): void;
  /** One was asked for and not dropped. */
  readonly held: boolean;
}

export function createLinks(clock: Clock, options: RedisOptions, openTimeoutMs = 10_000): Links {
  const where = whereOf(options);
  let connecting: Promise<RedisLink> | undefined;

  function drop(link: Promise<RedisLink>): void {
    if (connecting === link) connecting = undefined;
    link.then(
      (made) => made.close(),
      () => undefined,
    );
  }

  return {
    async get() {
      if (connecting === undefined) {
        const made: Promise<RedisLink> = connectRedis(options, () => drop(made));
        connecting = made;
      }
      const mine = connecting;
      try {
        if (await within(clock, deadlineIn(clock, openTimeoutMs), mine)) return await mine;
      } catch (error) {
        drop(mine);
        throw translate(error, 'a connection', options);
      }
      drop(mine);
      throw new SluiceError(
        'store-unavailable',
        `Redis at ${where} took more than ${openTimeoutMs} ms to connect${options.ssl === undefined ? '' : '; if it speaks no TLS there, leave connections.redis.ssl out'}`,
      );
    },
    drop() {
      if (connecting !== undefined) drop(connecting);
    },
    get held() {
      return connecting !== undefined;
    },
  };
}
