import { TAGS_HELPER } from './functions/encoding.ts';
import { MURMUR_HELPER } from './functions/hashing.ts';
import { LOOKUP_HELPERS } from './functions/lookup.ts';
import { MOD_HELPER } from './functions/math.ts';
import { SAME_HELPER } from './functions/operators.ts';
import { RANK_HELPERS } from './functions/scaling.ts';
import { TOP_HELPER } from './functions/selection.ts';
import { TEXT_HELPERS } from './functions/texts.ts';
import { CIVIL_HELPER } from './functions/time.ts';

/** A helper comes after those that it calls. */
const HELPERS: readonly string[] = [
  TAGS_HELPER,
  ...LOOKUP_HELPERS,
  MOD_HELPER,
  SAME_HELPER,
  CIVIL_HELPER,
  MURMUR_HELPER,
  TOP_HELPER,
  ...RANK_HELPERS,
  ...TEXT_HELPERS,
];

/** The helpers that a program calls, directly or through others. */
export function helpersOf(code: string): string[] {
  const used: string[] = [];
  for (const helper of HELPERS) {
    const call = `${/\$\w+/.exec(helper)?.[0]}(`;
    if (code.includes(call) || used.some((other) => other.includes(call))) used.push(helper);
  }
  return used;
}
