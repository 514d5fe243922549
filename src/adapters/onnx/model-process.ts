import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '../../kernel/errors.ts';
import { HEADER_BYTES, OUT_OF_MEMORY, readHeader } from './wire.ts';

/** A process that holds one model; see child.ts. It answers one question at a time. */
export interface ModelProcess {
  readonly pid: number;
  /** Writes a message and resolves with the answer; rejects with `Ended` when the process ends first. */
  ask(pieces: readonly Uint8Array[]): Promise<Answer>;
  kill(): void;
  /** Resolves once the process is gone; never rejects. */
  readonly ended: Promise<Ending>;
}

export interface Answer {
  readonly kind: number;
  readonly count: number;
  /** Memory of its own, which begins at a multiple of 8. */
  readonly body: Uint8Array;
}

export interface Ending {
  readonly reason: 'crashed' | 'memory';
  /** How it ended, for people: `signal SIGSEGV`, and the last thing it said. */
  readonly how: string;
}

/** How much of the last output of a dying native library is kept. */
const LAST_WORDS = 400;
/** The largest valid answer: it may be much larger than the question, but not arbitrarily large. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

const ENTRY = fileURLToPath(new URL(`./child${extname(import.meta.url)}`, import.meta.url));

/** Starts the process. Its output is discarded, because ours is data or log lines. */
export function startModelProcess(): ModelProcess {
  const child = spawn(process.execPath, [ENTRY], { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
  if ((child.stdio as typeof child.stdio | undefined) === undefined) return neverStarted(child);
  const talk = child.stdio[3] as Socket;
  const life = child.stdio[4] as Socket;
  let said = '';
  let outOfMemory = false;
  let waiting: { resolve(answer: Answer): void; reject(reason: unknown): void } | undefined;
  const reader = createReader((answer) => {
    const asked = waiting;
    waiting = undefined;
    asked?.resolve(answer);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-LAST_WORDS);
  });
  life.setEncoding('utf8').on('data', (text: string) => {
    if (text.includes(OUT_OF_MEMORY)) outOfMemory = true;
  });
  talk.on('data', (chunk: Buffer) => {
    if (!reader(chunk)) child.kill('SIGKILL');
  });
  // The end of the process says what happened; the end of its pipes says it less well.
  for (const stream of [talk, life, child.stderr]) stream?.on('error', () => undefined);

  const ended = new Promise<Ending>((resolve) => {
    const end = (how: string): void => {
      const words = said.trim().replace(/\s+/g, ' ');
      resolve({ reason: outOfMemory ? 'memory' : 'crashed', how: words === '' ? how : `${how}; it said: ${words}` });
    };
    child.once('error', (error) => end(error.message));
    // `close` comes after all that it said.
    child.once('close', (code, signal) => {
      if (outOfMemory) end('it took more memory than model.memory allows, and was killed');
      else if (signal === null) end(`it ended with exit code ${code}`);
      else end(`it was ended by ${signal}${signal === 'SIGKILL' ? ', as the kernel does when memory is short' : ''}`);
    });
  });
  let over = false;
  void ended.then(({ how }) => {
    over = true;
    waiting?.reject(new Ended(how));
    waiting = undefined;
  });

  return {
    pid: child.pid ?? 0,
    ended,
    kill: () => void child.kill('SIGKILL'),
    ask(pieces) {
      return new Promise((resolve, reject) => {
        if (over) return reject(new Ended('it has ended'));
        waiting = { resolve, reject };
        talk.cork();
        for (const piece of pieces) talk.write(piece);
        talk.uncork();
      });
    },
  };
}

/**
 * When file descriptors have run out, Node returns a child without pipes, and reports the reason as an event (cause) → without a
 * listener, the event would end the pipeline (effect) → such a child counts as ended, and can be started again (guard).
 */
function neverStarted(child: ChildProcess): ModelProcess {
  const ended = new Promise<Ending>((resolve) => {
    child.once('error', ({ message }) => resolve({ reason: 'crashed', how: message }));
  });
  return {
    pid: 0,
    ended,
    kill: () => undefined,
    ask: async () => {
      throw new Ended((await ended).how);
    },
  };
}

/** The process was gone before it answered. */
export class Ended extends SluiceError {
  constructor(how: string) {
    super('model-failed', how);
  }
}

/** Puts messages together from what arrives; false for what cannot be one. */
function createReader(deliver: (answer: Answer) => void): (chunk: Buffer) => boolean {
  const header = Buffer.alloc(HEADER_BYTES);
  let have = 0;
  let answer: Answer | undefined;
  return (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      const target = answer === undefined ? header : answer.body;
      const length = chunk.copy(target, have, at, at + target.length - have);
      at += length;
      have += length;
      if (answer === undefined && have === HEADER_BYTES) {
        const { kind, count, bodyBytes } = readHeader(new DataView(header.buffer, header.byteOffset, HEADER_BYTES));
        if (bodyBytes > MAX_ANSWER_BYTES) return false;
        answer = { kind, count, body: Buffer.allocUnsafeSlow(bodyBytes) };
        have = 0;
      }
      if (answer === undefined || have < answer.body.length) continue;
      const whole = answer;
      answer = undefined;
      have = 0;
      deliver(whole);
    }
    return true;
  };
}
