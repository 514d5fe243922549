/**
 * What a pipeline may wait for, in few words for metrics and alerts; conditions say in many what exactly, and why. `source`: no
 * member of its group, or no fetch is answered. `unknown`: records are under way, none settles, and nothing says why.
 */
export const WAITS = ['store', 'registry', 'sink', 'dead-letters', 'model', 'source', 'unknown'] as const;

export type Wait = (typeof WAITS)[number];

const BY_FIRST_WORD: Readonly<Record<string, Wait>> = {
  store: 'store',
  schema: 'registry',
  broker: 'sink',
  dead: 'dead-letters',
  model: 'model',
};

/** Of the name of a condition: `store airport`, `broker flights/3`. */
export function waitOf(what: string): Wait {
  const [word = ''] = /^\w*/.exec(what) ?? [];
  return Object.hasOwn(BY_FIRST_WORD, word) ? BY_FIRST_WORD[word] : 'unknown';
}
