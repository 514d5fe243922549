import { createRequire } from 'node:module';

/**
 * A request that exists in memory only once. The client's encoder copies a request twice on its way to the socket, each time into a
 * zeroed buffer of up to twice its size → this one has room in front for the encoder's header, and goes to the socket as it is.
 *
 * How: the client makes the header and appends the request with `Encoder.writeEncoder`, then makes the length and appends that. An
 * appended payload moves what precedes it into the room in front, and takes the place of the encoder from then on. All other requests
 * are appended as usual. Needs the client's exact version (`checkClient`, client/internals.ts).
 *
 * Hazard: a socket does not copy what is written to it → a payload without an answer may still be on its way, and its front holds the
 * correlation id of that one request → each attempt has its own payload, and its memory is reused only after its answer.
 */
export class Payload {
  readonly buf: Buffer;
  private readonly end: number;
  private start: number;

  /** Bytes [body, end) of a buffer; what is before them is room. */
  constructor(buf: Buffer, body: number, end: number) {
    this.buf = buf;
    this.end = end;
    this.start = body;
  }

  /** As the client's encoder calls what it holds. */
  get buffer(): Buffer {
    return this.buf.subarray(this.start, this.end);
  }

  size(): number {
    return this.end - this.start;
  }

  prepend(front: Buffer): this {
    if (front.length > this.start) throw new RangeError('a request has no room for its header');
    this.start -= front.length;
    front.copy(this.buf, this.start);
    return this;
  }
}

interface Encoder {
  readonly buffer: Buffer;
  writeEncoder(appended: object): object;
}

const require = createRequire(import.meta.url);
let installed = false;

export function installPayloads(): void {
  if (installed) return;
  installed = true;
  const { prototype } = require('kafkajs/src/protocol/encoder') as { prototype: Encoder };
  const { writeEncoder } = prototype;
  prototype.writeEncoder = function (this: Encoder, appended: object): object {
    return appended instanceof Payload ? appended.prepend(this.buffer) : writeEncoder.call(this, appended);
  };
}

/** What the client puts in front of a request: length, API key, version, correlation id, and client id. */
export function frontBytes(clientId: string): number {
  return 4 + 2 + 2 + 4 + 2 + Buffer.byteLength(clientId);
}
