import type { KeyTemplate } from '../codecs/types.ts';
import { didYouMean } from '../documents/did-you-mean.ts';
import type { PredictionField } from '../features/types.ts';
import type { DetailColumn, DetailsPlan, ReadPlan } from '../plan/plan.ts';
import { compileKey, type KeyContext, type OwnSlot } from './keys.ts';
import type { MergedRead } from './reads.ts';

/** A column that `details.VIEW.COLUMN` may name. */
export interface NamedDetail extends DetailColumn {
  readonly view: string;
  readonly column: string;
  /** A row that is not found leaves it null; otherwise the record is dead-lettered. */
  readonly nullable: boolean;
}

/** Every column that details read; `from` is the index of their first read in the plan. */
export function namedDetails(reads: readonly MergedRead[], from: number): readonly NamedDetail[] {
  return reads.flatMap(({ views, onMissing }, k) =>
    views.flatMap((view, v) =>
      view.columns.map(({ name: column, kind, width, offset }) => {
        const nullable = onMissing[v] !== 'dead-letter' || view.onStale === 'missing';
        return {
          name: `details.${view.name}.${column}`,
          view: view.name,
          column,
          kind,
          width,
          offset,
          nullable,
          read: from + k,
        };
      }),
    ),
  );
}

/** Compiles the keys of details; their slots count the predictions first, then the event's columns. */
export function compileDetails(
  merged: readonly MergedRead[],
  predictions: readonly PredictionField[],
  keys: KeyContext,
): readonly (ReadPlan | undefined)[] {
  const ownSlot: OwnSlot = (name, report) => {
    if (!name.startsWith('prediction.')) return undefined;
    const wanted = name.slice('prediction.'.length);
    const slot = predictions.findIndex((prediction) => prediction.name === wanted);
    const known = predictions.map((prediction) => prediction.name);
    if (slot < 0) {
      return report(
        `the bundle predicts no "${wanted}"${didYouMean(wanted, known)}`,
        `it predicts ${known.join(', ')}`,
      );
    }
    if (predictions[slot].kind === 'vector') {
      const message = `{${name}} is a vector of ${predictions[slot].width}, which cannot be part of a key`;
      return report(message, 'name a prediction that is a label or one whole number, for example its argMax(…)');
    }
    return -1 - slot;
  };
  return merged.map(({ entry, ...read }) => {
    const key = compileKey(read.key, ['details', entry, 'key'], keys, ownSlot);
    return key && { ...read, key: shifted(key, predictions.length) };
  });
}

function shifted({ source, parts }: KeyTemplate, predictions: number): KeyTemplate {
  return {
    source,
    parts: parts.map((part) => {
      if ('text' in part) return part;
      return { slot: part.slot < 0 ? -1 - part.slot : predictions + part.slot };
    }),
  };
}

/** The columns that output fields name, in the order of their slots after the predictions. */
export function detailsPlan(from: number, asked: readonly NamedDetail[]): DetailsPlan {
  return { from, columns: asked.map(({ name, kind, width, read, offset }) => ({ name, kind, width, read, offset })) };
}
