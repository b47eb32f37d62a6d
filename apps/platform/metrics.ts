import { type EventLog, limits } from '@annals/event-log';
import type { SqliteEventLog } from '@annals/event-log-sqlite';
import type { HttpServer } from '@annals/http';
import type { GenerationStatus, Projection, ShareStatus } from '@annals/projection';
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

export interface ProjectionMetrics {
  readonly log: Pick<EventLog, 'read'>;
  readonly projections: readonly Projection[];
  /** How every generation stands in this process. */
  readonly status: () => readonly GenerationStatus[];
  readonly now: () => number;
}

/** How far every generation of every projection is, as this process knows it. */
export function registerProjectionMetrics(registry: Registry, metrics: ProjectionMetrics): void {
  const { log, projections, status, now } = metrics;
  const gauge = (
    name: string,
    help: string,
    value: (share: ShareStatus) => number | Promise<number>,
  ) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        const shares = status().flatMap((one) => (one.kind === 'followed' ? one.shares : []));
        const values = await Promise.all(shares.map(value));
        this.reset();
        for (const [at, { projection, generation, worker }] of shares.entries()) {
          const labels = { projection, generation: `g${generation}`, worker: String(worker) };
          this.set(labels, values[at] as number);
        }
      },
    });
  gauge('annals_projection_events_total', 'Events applied by this process.', (s) => s.events);
  gauge('annals_projection_batches_total', 'Batches committed by this process.', (s) => s.batches);
  gauge('annals_projection_errors_total', 'Errors met by this process.', (s) => s.errors);
  gauge('annals_projection_parked', 'Dead letters.', (s) => s.parked);
  gauge('annals_projection_up', '1 while this process keeps it up to date.', (s) =>
    isUp(s) ? 1 : 0,
  );
  gauge(
    'annals_projection_lag_seconds',
    'Age of the last event applied, while there are newer ones; 0 when caught up.',
    (s) => (s.caughtUp || s.lastRecordedAt === undefined ? 0 : (now() - s.lastRecordedAt) / 1_000),
  );
  gauge(
    'annals_projection_lag_events',
    `Events of its categories that are not applied yet, counted up to ${lagEventsMax}.`,
    async ({ projection, checkpoint, caughtUp }) => {
      const categories = projections.find(({ name }) => name === projection)?.categories ?? [];
      if (caughtUp) return 0;
      const page = await log.read(checkpoint, { categories }, { limit: lagEventsMax });
      return page.events.length;
    },
  );
}

/** They are read to be counted, on the thread that serves HTTP. */
const lagEventsMax = limits.pageEventsDefault;

function isUp({ state }: ShareStatus): boolean {
  return state === 'live' || state === 'catching-up';
}
