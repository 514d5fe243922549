import { inspect } from 'node:util';

const HIDDEN = '[secret]';

/**
 * A text that is never shown: password, token, private key. As text, as JSON, in a log and in an inspected object it is `[secret]`;
 * only `reveal` returns it, at the place where it is sent.
 *
 * A secret from a file is read again each time, so that a rotated one is used without a restart; if the file cannot be read at that
 * moment (it is being replaced), or is empty, the last text is used.
 */
export class Secret {
  #text: string;
  readonly #again: (() => string) | undefined;

  constructor(text: string, again?: () => string) {
    this.#text = text;
    this.#again = again;
  }

  reveal(): string {
    if (this.#again === undefined) return this.#text;
    try {
      this.#text = this.#again() || this.#text;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === undefined) throw thrown;
    }
    return this.#text;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}

/** `text` without any of the secrets: for messages of others, who may repeat what they were sent. */
export function hideSecrets(text: string, secrets: readonly (Secret | string)[]): string {
  let hidden = text;
  for (const secret of secrets) {
    const plain = typeof secret === 'string' ? secret : secret.reveal();
    for (const form of new Set([plain, JSON.stringify(plain).slice(1, -1), encodeURIComponent(plain)])) {
      if (form !== '') hidden = hidden.replaceAll(form, HIDDEN);
    }
  }
  return hidden;
}
