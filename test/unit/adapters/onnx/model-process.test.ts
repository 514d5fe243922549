import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

test('a process that cannot start for want of file descriptors has ended, and takes nobody along', async () => {
  const script = `
    import { openSync } from 'node:fs';
    const { startModelProcess } = await import(process.argv[1]);
    try { for (;;) openSync('/dev/null', 'r'); } catch {}
    const started = startModelProcess();
    const failed = await started.ask([]).catch((thrown) => thrown);
    started.kill();
    console.log(started.pid, failed.code, (await started.ended).how);`;
  const url = new URL('../../../../src/adapters/onnx/model-process.ts', import.meta.url).href;
  const limited = spawn(
    'sh',
    ['-c', 'ulimit -n 100 && exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', script, url],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let said = '';
  limited.stdout.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const [code] = await once(limited, 'close');
  assert.match(said, /^0 model-failed spawn .* EMFILE\n$/);
  assert.equal(code, 0);
});
