/**
 * The picture of the console: a run of the demo, in a browser without a window, after it has run for so many seconds.
 *
 *   node docs/tools/console-picture.ts docs/assets/console.png [SECONDS [light|dark]]
 */
import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { openBrowser } from '../../test/integration/browser.ts';

const [file, seconds = '130', scheme = 'light'] = process.argv.slice(2);
if (file === undefined) throw new Error('node docs/tools/console-picture.ts FILE.png [SECONDS [light|dark]]');
const demo = spawn(process.execPath, ['src/main.ts', 'demo', '--rate', '2000', '--records', '100000000'], {
  stdio: ['ignore', 'ignore', 'pipe'],
});
const browser = await openBrowser();
try {
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    demo.stderr.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      const [, found] = /^Console: (\S+)$/m.exec(text) ?? [];
      if (found !== undefined) resolve(found);
    });
    demo.once('exit', () => reject(new Error(`the demo has ended: ${text}`)));
  });
  await pause(1000 * Number(seconds));
  const page = await browser.newPage({
    viewport: { width: 1280, height: 800 },
    colorScheme: scheme === 'dark' ? 'dark' : 'light',
  });
  await page.goto(url);
  await page.locator('#path .slowest').waitFor();
  await pause(2_000);
  // Down to the end of the charts: below are tables.
  const height = await page.evaluate<number>(`document.getElementById('charts').getBoundingClientRect().bottom + 14`);
  await page.screenshot({ path: file, fullPage: true, clip: { x: 0, y: 0, width: 1280, height } });
} finally {
  await browser.close();
  demo.kill();
}
