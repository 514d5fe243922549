import { InvalidArgumentError } from 'commander';

/** Parses a whole number from the command line; anything else is a usage error. */
export function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('give a whole number, 1 or more.');
  return value;
}

export function wholeOrZero(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('give a whole number, 0 or more.');
  return value;
}

/** Collects the values of an option that may be given several times. */
export function gather(text: string, all: readonly string[]): readonly string[] {
  return [...all, text];
}

/** HOST:PORT of --listen, an IPv6 address in brackets. */
export function address(text: string): { host: string; port: number } {
  const [, host, port] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535)
    throw new InvalidArgumentError('give HOST:PORT, such as 127.0.0.1:9464.');
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

/** Brokers from `host:port,…`; undefined if the text is not of that form. */
export function brokersIn(text: string): readonly string[] | undefined {
  const brokers = text.split(',').map((each) => each.trim());
  return brokers.every((each) => /^[^\s,:/]+:\d{1,5}$/.test(each)) ? brokers : undefined;
}

/** The same for an option; throws a usage error. */
export function brokers(text: string): readonly string[] {
  const found = brokersIn(text);
  if (found === undefined) throw new InvalidArgumentError('give HOST:PORT,HOST:PORT, such as kafka:9092.');
  return found;
}

/** The address that was given, or the default; undefined for none. */
export function listenOf(given: unknown): { host: string; port: number } | undefined {
  return typeof given === 'string' ? address(given) : (given as ReturnType<typeof address>) || undefined;
}

export function port(text: string): number {
  const value = wholeOrZero(text);
  if (value > 65_535) throw new InvalidArgumentError('give a port, 0 to 65535.');
  return value;
}
