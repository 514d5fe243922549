/**
 * What the program says about itself. Handles are resolved once, when a stage is made; using one is an array write.
 * Names come from the catalogue (src/telemetry/catalogue.ts); an unknown name or label throws at creation.
 */
export interface Telemetry {
  counter(name: string, labels?: Labels): Counter;
  histogram(name: string, labels?: Labels): Histogram;
  /** `read` is called whenever the metrics are collected; registering the same name and labels again replaces it. */
  gauge(name: string, labels: Labels, read: () => number): void;
  removeGauge(name: string, labels: Labels): void;
  /** One line for people, by its name in the catalogue; fields are data, never payloads or secrets. */
  event(name: string, fields?: Readonly<Record<string, unknown>>): void;
}

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(n: number): void;
  readonly value: number;
}

export interface Histogram {
  observe(value: number): void;
  /** The same value, `n` times. */
  observeMany(value: number, n: number): void;
  /** Estimate of a quantile (0..1) over everything observed, by linear interpolation inside a bucket; NaN when empty. */
  quantile(q: number): number;
  readonly count: number;
  readonly sum: number;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Where lines for people and log collectors go. Writing a line never throws and never waits. */
export interface Log {
  log(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>): void;
}
