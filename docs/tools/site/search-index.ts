import type { Rendered } from './markdown.ts';

/** Address and title of a page, and its sections: anchor, heading, text. */
export type Indexed = readonly [string, string, readonly (readonly [string, string, string])[]];

/** All there is to be searched, as a script: that, unlike a request, works from a folder too. It is loaded at the first search. */
export function searchIndex(pages: readonly { readonly address: string; readonly rendered: Rendered }[]): string {
  const index = pages.map(
    ({ address, rendered }): Indexed => [
      address,
      rendered.title,
      rendered.sections.map(({ anchor, heading, text }) => [anchor, heading, text]),
    ],
  );
  return `globalThis.sluicePages = ${JSON.stringify(index).replaceAll('<', '\\u003c')};\n`;
}
