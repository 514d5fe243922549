import { type IncomingHttpHeaders, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { type TlsSettings, tlsOptions } from './tls.ts';

export interface WebQuestion {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly tls: TlsSettings | undefined;
  /** From the dial to the last byte of the answer. */
  readonly timeoutMs: number;
  /** Of the answer's body; a longer one rejects. */
  readonly maxBytes: number;
}

export interface WebAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/**
 * One HTTP request, bounded in time and bytes. Over TLS the peer is verified against given authorities, which `fetch` does not support.
 * Redirects are not followed, so that credentials go nowhere else.
 */
export function askWeb(question: WebQuestion): Promise<WebAnswer> {
  const { method, url, headers, body, tls, timeoutMs, maxBytes } = question;
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const failed = (thrown: unknown): void =>
      reject(signal.aborted ? new Error(`no answer within ${timeoutMs} ms`, { cause: thrown }) : thrown);
    const isSecure = new URL(url).protocol === 'https:';
    const options = {
      method,
      signal,
      // A kept connection may be one that the peer is about to close; such questions are rare.
      agent: false,
      headers: { ...headers, ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }) },
    };
    const asked = isSecure ? secureRequest(url, { ...options, ...tlsOptions(tls ?? {}) }) : plainRequest(url, options);
    asked.on('error', failed);
    asked.on('response', (answer) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (part: Buffer) => {
        bytes += part.length;
        parts.push(part);
        if (bytes > maxBytes) answer.destroy(new RangeError(`the answer is larger than ${maxBytes} bytes`));
      });
      answer.on('error', failed);
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text: Buffer.concat(parts).toString('utf8'),
        }),
      );
    });
    asked.end(body);
  });
}
