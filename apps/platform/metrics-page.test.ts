import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OpenPlatform, openPlatform } from './testing/open-platform.ts';

let platform: OpenPlatform;
beforeAll(async () => {
  platform = await openPlatform();
});
afterAll(() => platform.close());

interface Described {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
}

/** The row of the page that a metric has. */
function row({ name, type, help, labelNames = [] }: Described): string {
  const labels = labelNames.map((label) => `\`${label}\``).join(', ');
  return `| \`${name}\` | ${type} | ${labels} | ${help} |`;
}

it('docs/metrics.md has a row for every metric of a platform, and for no other', async () => {
  const page = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const metrics = platform.server.registry.getMetricsAsArray() as unknown as Described[];
  const rows = page
    .split('\n')
    .filter((line) => line.startsWith('| `') && !line.startsWith('| `Annals'));
  expect(rows.toSorted()).toEqual(metrics.map(row).toSorted());
});

it('what ends in _total is a counter, and nothing else is', () => {
  const metrics = platform.server.registry.getMetricsAsArray() as unknown as Described[];
  for (const { name, type } of metrics) {
    // prom-client's own have their names from it.
    if (name.startsWith('nodejs_')) continue;
    expect(type === 'counter', name).toBe(/_total$/.test(name));
  }
});
