/** Topics that say which rows of a feature store have changed: their record keys are row keys. */
export interface Changelogs {
  /** From the moment on at which the changelogs were opened; every listener of a topic is told all of it. */
  subscribe(topic: string, listener: ChangeListener): void;
  close(): Promise<void>;
}

export interface ChangeListener {
  /** The rows of these keys have changed. The buffers are the topic's: copy what is to stay. */
  changed(keys: readonly Buffer[]): void;
  /** Changes were missed, and nobody knows which: any row may have. */
  missed(): void;
}
