/** Cost of predictions at a rate. Cores count whole: idle time of a rented core is paid for too. */
export interface Cost {
  readonly cores: number;
  readonly perCoreHour: number;
  /** Undefined without a GPU. */
  readonly perGpuHour: number | undefined;
  /** Price of a million predictions, in the currency of the given prices; undefined without a price. */
  readonly perMillion: number | undefined;
}

export interface Prices {
  readonly coreHour: number | undefined;
  readonly gpuHour: number | undefined;
}

const SECONDS_AN_HOUR = 3600;
const MILLION = 1_000_000;

export function costOf(perSecond: number, cores: number, onGpu: boolean, prices: Prices): Cost {
  const perHour = perSecond * SECONDS_AN_HOUR;
  // Without the price of the GPU the sum would be too low.
  const known = onGpu ? prices.gpuHour !== undefined && prices.coreHour !== undefined : prices.coreHour !== undefined;
  const priceAnHour = cores * (prices.coreHour ?? 0) + (onGpu ? (prices.gpuHour ?? 0) : 0);
  return {
    cores,
    perCoreHour: perHour / cores,
    perGpuHour: onGpu ? perHour : undefined,
    perMillion: known && perHour > 0 ? (priceAnHour / perHour) * MILLION : undefined,
  };
}
