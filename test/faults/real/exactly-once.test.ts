import { after, before, test } from 'node:test';
import { type Services, startServices } from '../../integration/services.ts';
import { killAgainAndAgain, overlapUpstream } from '../once/kills.ts';

const KILLS = 20;

let services: Services;
before(async () => {
  services = await startServices();
});
after(async () => {
  await services?.stop();
});

test(`row 8: exactly once: ${KILLS} kills and a zombie, and readers of committed records see every event once`, () =>
  killAgainAndAgain(services.brokers, KILLS));

test('row 8: what upstream aborted is not read, however its transactions overlap', () =>
  overlapUpstream(services.brokers));
