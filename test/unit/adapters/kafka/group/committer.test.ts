import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsumerGroup } from '../../../../../src/adapters/kafka/client/internals.ts';
import { createCommitter } from '../../../../../src/adapters/kafka/group/committer.ts';
import { goTo, Lanes } from '../../../../../src/adapters/kafka/group/lanes.ts';
import { FakeClock } from '../../../../fixtures/clock.ts';
import { RecordingTelemetry } from '../../../../fixtures/telemetry.ts';

test('a commit of a member that is none any more is not taken for stored, though its epochs are not over yet', async () => {
  const clock = new FakeClock();
  const telemetry = new RecordingTelemetry();
  const lanes = new Lanes({ onAssigned: () => {}, onRevoked: () => {} });
  const refused = Object.assign(new Error('who are you?'), { type: 'UNKNOWN_MEMBER_ID' });
  const group = {
    memberId: 'me' as string | null,
    generationId: 1,
    offsetManager: {
      committedOffsets: () => ({}),
      resolveOffset: () => undefined,
      commitOffsets: () => Promise.reject(refused),
    },
    assigned: () => [{ topic: 'in', partitions: [0] }],
  };
  const member = group as unknown as ConsumerGroup;
  lanes.assign(member);
  const [lane] = lanes.all();
  goTo(lane, 7);
  // The client drops its id as soon as it hears of it, and joins anew.
  group.memberId = null;
  const committer = createCommitter(
    { clock, lanes, telemetry, note: undefined, group: () => member },
    { groupId: 'g', brokers: ['b:1'] },
  );
  const commit = committer.commit([{ origin: lane.origin, offset: 7 }]);
  await assert.rejects(clock.run(commit), { code: 'broker-rejected', disposition: 'retry' });
  assert.equal(telemetry.count('sluice_commits_fenced_total'), 1);
  lanes.endAll();
  await clock.run(committer.commit([{ origin: lane.origin, offset: 7 }]));
  assert.equal(telemetry.count('sluice_commits_left_out_total'), 1);
});
