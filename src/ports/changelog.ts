/** Topics that say which rows of a feature store have changed: their record keys are row keys. */
export interface Changelogs {
  /** Listens from the moment at which the changelogs were opened; every listener of a topic hears every change. */
  subscribe(topic: string, listener: ChangeListener): void;
  close(): Promise<void>;
}

export interface ChangeListener {
  /** The rows of these keys have changed. The buffers belong to the topic: copy what you keep. */
  changed(keys: readonly Buffer[]): void;
  /** Changes were missed, and nobody knows which: any row may have changed. */
  missed(): void;
}
