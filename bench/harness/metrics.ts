/** Figures that only the process itself has: Sluice's own page. */
export interface LoopDelay {
  /** Upper bounds of the histogram's buckets. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** From the page that the log line names; undefined where there is none. */
export async function eventLoopDelay(log: string): Promise<LoopDelay | undefined> {
  const url = /"url":"([^"]+)"/.exec(log)?.[1];
  if (url === undefined) return undefined;
  const page = await fetch(`${url}/metrics`)
    .then((response) => response.text())
    .catch(() => '');
  const buckets = [...page.matchAll(/^sluice_event_loop_delay_seconds_bucket\{.*?le="([^"]+)".*?\} (\S+)$/gm)].map(
    ([, bound, count]) => ({
      boundMs: bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound) * 1_000,
      count: Number(count),
    }),
  );
  const all = buckets.at(-1)?.count ?? 0;
  if (all === 0) return undefined;
  const quantile = (share: number): number =>
    buckets.find(({ count }) => count >= all * share)?.boundMs ?? Number.POSITIVE_INFINITY;
  return { p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}
