import type { SqliteEventLog } from '@annals/event-log-sqlite';
import type { HttpServer } from '@annals/http';
import type { GenerationStatus } from '@annals/projection';
import { Gauge } from 'prom-client';

type Registry = HttpServer['registry'];

/** The log's figures: what this process has written, and what waits. Read when they are scraped. */
export function registerLogMetrics(
  registry: Registry,
  log: Pick<SqliteEventLog, 'statistics'>,
): void {
  const figures = {
    annals_log_commits_total: ['Transactions committed: appends that wait share one.', 'commits'],
    annals_log_appends_total: ['Appends stored.', 'appends'],
    annals_log_events_total: ['Events stored.', 'events'],
    annals_log_duplicates_total: ['Appends answered with an earlier result.', 'duplicates'],
    annals_log_failures_total: ['Appends that failed by broken I/O.', 'failures'],
    annals_log_queue_appends: ['Appends waiting for the writer.', 'queueDepth'],
    annals_log_queue_bytes: ['Bytes waiting for the writer.', 'queueBytes'],
  } as const;
  for (const [name, [help, figure]] of Object.entries(figures)) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(log.statistics()[figure]);
      },
    });
  }
}

const labelNames = ['projection', 'generation', 'worker'] as const;

/** How far every generation of every projection is. */
export function registerProjectionMetrics(
  registry: Registry,
  status: () => readonly GenerationStatus[],
  now: () => number,
): void {
  const shares = () => {
    const all = status().flatMap((one) => (one.kind === 'followed' ? one.shares : []));
    return all.map(({ projection, generation, worker, ...share }) => ({
      labels: { projection, generation: `g${generation}`, worker: String(worker) },
      ...share,
    }));
  };
  const gauge = (
    name: string,
    help: string,
    value: (share: ReturnType<typeof shares>[0]) => number,
  ) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const share of shares()) this.set(share.labels, value(share));
      },
    });
  gauge('annals_projection_events_total', 'Events applied by this process.', (s) => s.events);
  gauge('annals_projection_batches_total', 'Batches committed by this process.', (s) => s.batches);
  gauge('annals_projection_errors_total', 'Errors met by this process.', (s) => s.errors);
  gauge('annals_projection_parked', 'Dead letters.', (s) => s.parked);
  gauge('annals_projection_up', '1 while it follows the log.', (s) =>
    s.state === 'live' || s.state === 'catching-up' ? 1 : 0,
  );
  gauge(
    'annals_projection_lag_seconds',
    'Age of the last event applied, while there are newer ones; 0 when caught up.',
    (s) => (s.caughtUp || s.lastRecordedAt === undefined ? 0 : (now() - s.lastRecordedAt) / 1_000),
  );
}
