/** What a file is told to do before it counts as whole. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type Mock, mock, test } from 'node:test';
import { fileOutlet } from '../../../../../src/adapters/files/batch/outlets.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-outlets-'));
after(() => rmSync(folder, { recursive: true }));

const handle = await open(process.execPath, 'r');
const handles = Object.getPrototypeOf(handle) as Record<'sync' | 'write', () => Promise<unknown>>;
await handle.close();

/** Runs `work`; resolves with what was asked of the disk meanwhile, in order. */
async function actsOf(work: () => Promise<void>, onSync?: () => Promise<void>): Promise<string[]> {
  const acts: string[] = [];
  const spies: Mock<() => Promise<unknown>>[] = (['write', 'sync'] as const).map((name) => {
    const own = handles[name];
    return mock.method(handles, name, function (this: unknown, ...args: never[]) {
      acts.push(name);
      return name === 'sync' && onSync !== undefined ? onSync() : Reflect.apply(own, this, args);
    });
  });
  try {
    await work();
  } finally {
    for (const spy of spies) spy.mock.restore();
  }
  return acts;
}

for (const name of ['out.jsonl', 'out.jsonl.gz']) {
  test(`${name} is on the disk once it has ended: a bookmark that says so is, too`, async () => {
    const acts = await actsOf(async () => {
      const outlet = await fileOutlet(join(folder, name));
      await outlet.write(Buffer.from('{}\n'));
      await outlet.end();
    });
    assert.deepEqual(acts, ['write', 'sync']);
    assert.ok(readFileSync(join(folder, name)).length > 0);
  });
}

test('what the disk refuses at the end is a failure', async () => {
  const refuse = () => Promise.reject(new Error('EIO: i/o error, fsync'));
  const acts = await actsOf(async () => {
    const outlet = await fileOutlet(join(folder, 'refused.jsonl'));
    await assert.rejects(outlet.end(), { code: 'file-failed', message: /cannot write .*refused\.jsonl: EIO/ });
  }, refuse);
  assert.deepEqual(acts, ['sync']);
});

test('what is no file is not waited for', async () => {
  const acts = await actsOf(async () => (await fileOutlet('/dev/null')).end());
  assert.deepEqual(acts, []);
});
