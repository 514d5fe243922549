import { SluiceError } from '../../kernel/errors.ts';
import type { FeatureStore } from '../../ports/feature-store.ts';

/** For topologies without look-ups. */
export const NO_STORE: FeatureStore = {
  open: () => Promise.resolve(),
  read: () => Promise.reject(new SluiceError('invariant-broken', 'a topology without look-ups read features')),
  close: () => Promise.resolve(),
};
