import { describe, test } from 'node:test';
import { createBroker } from '../../../src/devstack/kafka/broker.ts';
import { openDoubt } from '../once/doubt.ts';
import { killAgainAndAgain, overlapUpstream } from '../once/kills.ts';

/** As many as `npm test` has time for; real brokers have more of them. */
const KILLS = 3;
const LIMIT = { timeout: 150_000 };

async function start() {
  const broker = await createBroker({ brokers: 3, log: () => {} });
  return { brokers: broker.brokers.join(','), stop: () => broker.close() };
}

/** The scenarios of real/exactly-once and real/once-doubt, as far as a broker without a clock can play them. */
describe('exactly once, on the embedded broker', () => {
  const doubt = openDoubt(start);

  for (const what of ['request', 'answer'] as const) {
    test(`row 8: a transaction of which any ${what} is lost is committed once`, LIMIT, () => doubt.lostOnce(what));
  }

  test('rows 4 and 8: an owner that was replaced writes nothing more, and leaves nothing open', LIMIT, () =>
    doubt.ownerReplaced(),
  );

  test(
    'rows 4 and 8: a commit in doubt that its successor has seen is told to be committed, and nothing else',
    LIMIT,
    () => doubt.successorHasSeen(),
  );

  test('a row that its topic refuses leaves nothing behind, and what comes after it goes on', LIMIT, () =>
    doubt.refusedRow(),
  );

  async function withBrokers(scenario: (brokers: string) => Promise<void>): Promise<void> {
    const { brokers, stop } = await start();
    try {
      await scenario(brokers);
    } finally {
      await stop();
    }
  }

  test('row 8: kills and a zombie, and readers of committed records see every event once', LIMIT, () =>
    withBrokers((brokers) => killAgainAndAgain(brokers, KILLS)),
  );

  test('row 8: what upstream aborted is not read, however its transactions overlap', LIMIT, () =>
    withBrokers(overlapUpstream),
  );
});
