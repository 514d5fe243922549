/** A real browser without a window, for pages that the program serves. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** Fails where there is none: the package of Debian is chromium. */
export function browserPath(path = process.env.PATH ?? ''): string {
  for (const name of NAMES) {
    for (const folder of path.split(delimiter)) if (existsSync(join(folder, name))) return join(folder, name);
  }
  throw new Error(`no browser on the PATH (${NAMES.join(', ')}): install Debian's package chromium`);
}

export function openBrowser(): Promise<Browser> {
  // Chromium's own sandbox needs a user that is not root.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath: browserPath(), args });
}

export interface Opened {
  readonly page: Page;
  /** What the browser complained of, and requests to anything but the page's own server. */
  readonly complaints: string[];
}

export interface Window {
  /** Below the address, which is all that may be asked for. */
  readonly path?: string;
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: 'light' | 'dark';
}

export async function open(context: TestContext, browser: Browser, url: string, window: Window = {}): Promise<Opened> {
  const { path = '', width = 1280, height = 900, colorScheme = 'light' } = window;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  context.after(() => page.close());
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => void complaints.push(`thrown: ${error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) complaints.push(`asked for ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400 && response.status() !== 503)
      complaints.push(`${response.status()} ${response.url()}`);
  });
  await page.goto(url + path);
  return { page, complaints };
}
