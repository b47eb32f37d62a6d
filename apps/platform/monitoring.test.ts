import { readFile } from 'node:fs/promises';
import { parser } from '@prometheus-io/lezer-promql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type OpenPlatform, openPlatform } from './testing/open-platform.ts';

/** Metric names and the labels they carry, as Prometheus stores what a platform exports. */
const exported = new Map<string, ReadonlySet<string>>();
/** What Prometheus itself adds. */
const addedLabels = ['job', 'instance'];

let platform: OpenPlatform;
beforeAll(async () => {
  platform = await openPlatform();
  for (const metric of platform.server.registry.getMetricsAsArray()) {
    const {
      name,
      type,
      labelNames = [],
    } = metric as unknown as {
      name: string;
      type: string;
      labelNames?: string[];
    };
    const isHistogram = type === 'histogram';
    for (const suffix of isHistogram ? ['_bucket', '_sum', '_count'] : ['']) {
      const labels = suffix === '_bucket' ? [...labelNames, 'le'] : labelNames;
      exported.set(`${name}${suffix}`, new Set([...labels, ...addedLabels]));
    }
  }
  exported.set('up', new Set(addedLabels));
});
afterAll(() => platform.close());

/** The metrics and labels a query names. Grafana's variables stand for durations. */
function namesIn(query: string) {
  const text = query.replaceAll('$__rate_interval', '5m');
  const names = { metrics: new Set<string>(), labels: new Set<string>() };
  parser.parse(text).iterate({
    enter: ({ name, type, from, to }) => {
      if (type.isError) throw new Error(`not PromQL at ${from}: ${text}`);
      if (name === 'Identifier') names.metrics.add(text.slice(from, to));
      if (name === 'LabelName') names.labels.add(text.slice(from, to));
    },
  });
  return names;
}

function checkQuery(query: string): void {
  const { metrics, labels } = namesIn(query);
  expect(metrics.size, query).toBeGreaterThan(0);
  for (const metric of metrics) {
    expect(exported.has(metric), `${metric} is not exported: ${query}`).toBe(true);
    const known = exported.get(metric);
    for (const label of labels) expect(known?.has(label), `${metric} has no ${label}`).toBe(true);
  }
}

const infra = (path: string) => readFile(new URL(`../../infra/${path}`, import.meta.url), 'utf8');

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: { x: number; y: number; w: number; h: number };
  readonly targets?: readonly { readonly expr: string }[];
}

describe('infra/grafana/dashboards/annals.json', () => {
  it('asks only for metrics and labels that are exported', async () => {
    const { panels } = JSON.parse(await infra('grafana/dashboards/annals.json')) as {
      panels: readonly Panel[];
    };
    const drawn = panels.filter(({ type }) => type !== 'row');
    expect(drawn.length).toBeGreaterThan(10);
    for (const { targets = [], title } of drawn) {
      expect(targets.length, title).toBeGreaterThan(0);
      for (const { expr } of targets) checkQuery(expr);
    }
  });

  it('draws no panel over another, and names each once', async () => {
    const { panels } = JSON.parse(await infra('grafana/dashboards/annals.json')) as {
      panels: readonly Panel[];
    };
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Map<string, string>();
    for (const { title, gridPos } of panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.get(`${x},${y}`), title).toBeUndefined();
          taken.set(`${x},${y}`, title);
        }
      }
    }
  });
});

describe('infra/prometheus/alerts.yaml', () => {
  it('asks only for metrics and labels that are exported, and says what to do', async () => {
    const { groups } = parse(await infra('prometheus/alerts.yaml')) as {
      groups: readonly {
        rules: readonly {
          alert: string;
          expr: string;
          labels: { severity: string };
          annotations: { summary: string; action: string };
        }[];
      }[];
    };
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.length).toBeGreaterThan(5);
    for (const { alert, expr, labels, annotations } of rules) {
      checkQuery(expr);
      expect(['page', 'warn'], alert).toContain(labels.severity);
      expect(annotations.summary, alert).not.toBe('');
      expect(annotations.action, alert).not.toBe('');
    }
  });

  it('every alert that docs/metrics.md recommends has its rule', async () => {
    const page = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
    const rules = await infra('prometheus/alerts.yaml');
    const named = [...page.matchAll(/`(Annals[A-Za-z]+)`/g)].map(([, name]) => name as string);
    const defined = [...rules.matchAll(/alert: (\w+)/g)].map(([, name]) => name as string);
    expect(named.toSorted()).toEqual(defined.toSorted());
  });
});

it('a query that names no such metric or label, or is none, is found', () => {
  expect(() => checkQuery('sum(annals_nothing_total)')).toThrow('is not exported');
  expect(() => checkQuery('sum by (shop) (annals_log_events_total)')).toThrow('has no shop');
  expect(() => checkQuery('sum(annals_log_events_total')).toThrow('not PromQL');
});
