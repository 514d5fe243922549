import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Pages that belong together, in the order in which they are read. Paths are from the repository root. */
export interface Chapter {
  readonly title: string;
  readonly pages: readonly Entry[];
}

export interface Entry {
  readonly path: string;
  /** In the list of pages, instead of the page's own heading. */
  readonly label?: string;
}

const page = (path: string, label?: string): Entry => ({ path, label });

/** All pages of the site; decisions are found, the rest is placed by hand: a test says which page has no place. */
export function chaptersOf(root: string): readonly Chapter[] {
  const decisions = readdirSync(join(root, 'docs/adr'))
    .filter((name) => name.endsWith('.md'))
    .sort();
  return [
    {
      title: 'Start',
      pages: [
        page('README.md', 'What Sluice is'),
        page('docs/guide.md', 'Guide: your own model'),
        page('docs/from-sklearn.md'),
        page('examples/flight-delay/README.md', 'Example: flight delays'),
        page('examples/weather/README.md', 'Example: weather stations'),
      ],
    },
    {
      title: 'Reference',
      pages: [
        page('docs/reference/topology.md'),
        page('docs/reference/bundle.md'),
        page('docs/reference/expressions.md'),
        page('docs/reference/types.md'),
        page('docs/reference/metrics.md'),
        page('docs/reference/events.md'),
        page('docs/reference/mistakes.md'),
        page('docs/glossary.md'),
      ],
    },
    {
      title: 'Operation',
      pages: [
        page('docs/guarantees.md'),
        page('docs/runbook.md'),
        page('docs/batch.md'),
        page('docs/console.md'),
        page('docs/security.md'),
        page('docs/performance.md'),
        page('deploy/README.md', 'Deployment'),
      ],
    },
    {
      title: 'Inside',
      pages: [
        page('ARCHITECTURE.md'),
        page('CONTRIBUTING.md'),
        page('docs/where-is.md'),
        page('docs/performance-parts.md'),
        page('models/training/README.md'),
        page('bench/workloads/README.md', 'Workloads of the benchmarks'),
        page('CHANGELOG.md'),
      ],
    },
    { title: 'Decisions', pages: decisions.map((name) => page(`docs/adr/${name}`)) },
  ];
}
