import { createRequire } from 'node:module';

/**
 * A request that lies in memory once. The client's encoder copies a request twice on its way to the socket, each time into a zeroed
 * buffer of up to twice its size → this one has room in front of it, where the encoder's header goes, and goes to the socket as it is.
 *
 * How: the client makes the header and appends the request with `Encoder.writeEncoder`, then makes the length and appends that. A
 * payload that is appended takes what is before it to its front, and stands in for the encoder from then on. All other
 * requests are appended as ever. Needs the client's exact version (`checkClient`, client/internals.ts).
 *
 * Hazard: a socket does not copy what is written to it → a payload whose answer has not come may still be on its way, and its front holds
 * the number of that one request → an attempt has a payload of its own, and its memory is used again only after its answer.
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

/** What the client puts in front of a request: its length, key, version, number, and the name of the client. */
export function frontBytes(clientId: string): number {
  return 4 + 2 + 2 + 4 + 2 + Buffer.byteLength(clientId);
}
