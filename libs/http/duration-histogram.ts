import type { Metric, Registry } from 'prom-client';

const boundsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Labels {
  readonly [name: string]: string | number;
}

interface Series {
  readonly labels: Labels;
  /** Observations at or below each bound and above the one before; the last is above all. */
  readonly counts: number[];
  sum: number;
}

interface Sample {
  readonly metricName: string;
  readonly labels: Labels;
  readonly value: number;
}

/**
 * A histogram of durations by some labels and `status`, in a prom-client registry. prom-client's own
 * checks and hashes its labels at each observation, also those of a child.
 */
export class DurationHistogram {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly aggregator = 'sum';
  readonly labelNames: readonly string[];
  readonly #series: Series[] = [];

  constructor(registry: Registry, name: string, help: string, labelNames: readonly string[]) {
    this.name = name;
    this.help = help;
    this.labelNames = [...labelNames, 'status'];
    // A registry asks no more of a metric than what is here, but its types name its own classes.
    registry.registerMetric(this as unknown as Metric);
  }

  /** Observes durations under these labels; keep it, it knows its series. */
  observer(labels: Labels): (status: number, seconds: number) => void {
    const byStatus: (Series | undefined)[] = [];
    return (status, seconds) => {
      const series = byStatus[status] ?? this.#add({ ...labels, status });
      byStatus[status] = series;
      let bucket = 0;
      while (bucket < boundsSeconds.length && seconds > (boundsSeconds[bucket] as number)) {
        bucket += 1;
      }
      series.counts[bucket] = (series.counts[bucket] as number) + 1;
      series.sum += seconds;
    };
  }

  /** What a scrape gets; part of prom-client's interface of a metric. */
  async get() {
    const { name, help, type, aggregator } = this;
    return {
      name,
      help,
      type,
      aggregator,
      values: this.#series.flatMap((one) => this.#samples(one)),
    };
  }

  /** Part of prom-client's interface of a metric. */
  reset(): void {
    for (const series of this.#series) {
      series.counts.fill(0);
      series.sum = 0;
    }
  }

  #add(labels: Labels): Series {
    const series = { labels, counts: Array<number>(boundsSeconds.length + 1).fill(0), sum: 0 };
    this.#series.push(series);
    return series;
  }

  /** Buckets are cumulative (Prometheus exposition format), the last one is the count. */
  #samples({ labels, counts, sum }: Series): Sample[] {
    let count = 0;
    const buckets = counts.map((added, at) => {
      count += added;
      const le = boundsSeconds[at] ?? '+Inf';
      return { metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${this.name}_sum`, labels, value: sum },
      { metricName: `${this.name}_count`, labels, value: count },
    ];
  }
}
