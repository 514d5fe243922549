import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createChanges, watchFiles } from '../../../../src/commands/dev/watch.ts';
import { createSystemClock } from '../../../../src/kernel/system-clock.ts';
import { FakeClock } from '../../../fixtures/clock.ts';

describe('changes of files', () => {
  function build() {
    const clock = new FakeClock();
    const followed: string[] = [];
    let notice: (path: string) => void = () => undefined;
    const changes = createChanges({
      clock,
      watch(paths, changed) {
        followed.push(`+${paths.join()}`);
        notice = changed;
        return { close: () => void followed.push(`-${paths.join()}`) };
      },
      lost: () => undefined,
    });
    return { clock, changes, followed, notice: (path: string) => notice(path) };
  }

  test('are told together, each once, when there was quiet', async () => {
    const { clock, changes, notice } = build();
    changes.follow(['a']);
    let told: readonly string[] | undefined;
    void changes.next().then((files) => {
      told = files;
    });
    notice('a');
    await clock.advance(150);
    notice('b');
    notice('a');
    await clock.advance(199);
    assert.equal(told, undefined);
    await clock.advance(1);
    assert.deepEqual(told, ['a', 'b']);
  });

  test('that came while nobody waited are told to the next who does, and then no more', async () => {
    const { clock, changes, notice } = build();
    changes.follow(['a']);
    notice('a');
    await clock.advance(200);
    assert.deepEqual(await changes.next(), ['a']);
    let again = false;
    void changes.next().then(() => {
      again = true;
    });
    await clock.advance(1_000);
    assert.equal(again, false);
    changes.close();
  });

  test('of other files are followed before the former are let go', () => {
    const { changes, followed } = build();
    changes.follow(['a']);
    changes.follow(['a', 'b']);
    changes.close();
    assert.deepEqual(followed, ['+a', '+a,b', '-a', '-a,b']);
  });

  test('are watched anew with each change: what was replaced is another file', async () => {
    const { clock, changes, followed, notice } = build();
    changes.follow(['a']);
    notice('a');
    await clock.advance(200);
    await changes.next();
    changes.close();
    assert.deepEqual(followed, ['+a', '+a', '-a', '-a']);
  });
});

test('folders that are deleted and recreated are still watched, and missing ones as soon as they appear', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-watch-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const bundle = join(folder, 'models/mine/1');
  const file = join(bundle, 'bundle.yaml');
  const make = (): void => {
    mkdirSync(bundle, { recursive: true });
    writeFileSync(file, 'a: 1');
  };
  make();
  const lost: string[] = [];
  const changes = createChanges(
    { clock: createSystemClock(), watch: watchFiles, lost: (reason) => void lost.push(reason) },
    { quietMs: 20 },
  );
  t.after(() => changes.close());
  changes.follow([join(folder, 'models/mine'), join(folder, 'features')]);
  const steps: readonly (readonly [() => void, string])[] = [
    [() => rmSync(join(folder, 'models'), { recursive: true }), 'models/mine'],
    [make, 'models'],
    [() => writeFileSync(file, 'a: 2'), 'models/mine/1/bundle.yaml'],
    [() => renameSync(join(folder, 'models'), join(folder, 'other')), 'models'],
    [() => renameSync(join(folder, 'other'), join(folder, 'models')), 'models'],
    [() => writeFileSync(file, 'a: 3'), 'models/mine/1/bundle.yaml'],
    [() => mkdirSync(join(folder, 'features')), 'features'],
    [() => writeFileSync(join(folder, 'features/t.jsonl'), ''), 'features/t.jsonl'],
  ];
  for (const [change, path] of steps) {
    change();
    // Notices of the step before may still come, and count for this one: a file is written until it is noticed.
    const again = path.includes('.') ? setInterval(change, 50) : undefined;
    for (;;) if ((await changes.next()).includes(join(folder, path))) break;
    clearInterval(again);
  }
  assert.deepEqual(lost, []);
});

describe('the notices of the file system', () => {
  /** Resolves with the first path that is told after `change`. */
  async function noticed(
    paths: (folder: string) => readonly string[],
    change: (folder: string) => void,
  ): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-watch-'));
    writeFileSync(join(folder, 'topology.yaml'), 'a: 1');
    writeFileSync(join(folder, 'other'), '');
    mkdirSync(join(folder, 'bundle/1'), { recursive: true });
    let watcher: { close(): void } | undefined;
    try {
      const path = await new Promise<string>((resolve, reject) => {
        watcher = watchFiles(paths(folder), resolve, (reason) => reject(new Error(reason)));
        change(folder);
      });
      return path.slice(folder.length + 1);
    } finally {
      watcher?.close();
      rmSync(folder, { recursive: true });
    }
  }

  const topology = (folder: string): string[] => [join(folder, 'topology.yaml')];

  test('tell a file that is written over, and not its neighbour', async () => {
    const path = await noticed(topology, (folder) => {
      writeFileSync(join(folder, 'other'), 'x');
      writeFileSync(join(folder, 'topology.yaml'), 'a: 2');
    });
    assert.equal(path, 'topology.yaml');
  });

  test('tell a file that another one is renamed to, as editors do', async () => {
    const path = await noticed(topology, (folder) => {
      writeFileSync(join(folder, '.topology.yaml.swp'), 'a: 3');
      renameSync(join(folder, '.topology.yaml.swp'), join(folder, 'topology.yaml'));
    });
    assert.equal(path, 'topology.yaml');
  });

  test('tell a file in a version of a bundle, and a file that was not there', async () => {
    const bundle = (folder: string): string[] => [join(folder, 'bundle'), join(folder, 'gone/no.avsc')];
    const path = await noticed(bundle, (folder) => writeFileSync(join(folder, 'bundle/1/model.onnx'), ''));
    assert.equal(path, 'bundle/1/model.onnx');
  });
});
