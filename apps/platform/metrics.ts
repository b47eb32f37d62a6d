import { type EventLog, limits } from '@annals/event-log';
import type { HttpServer } from '@annals/http';
import type { GenerationStatus, Projection, ShareStatus } from '@annals/projection';
import type { LogFigures, OpenedLog } from '@annals/projector';
import { Counter, Gauge } from 'prom-client';

type Registry = HttpServer['registry'];

/**
 * The logs' figures, summed: what this process has written, and what waits. Read when they are scraped.
 * What no engine in use counts is not there.
 */
export function registerLogMetrics(
  registry: Registry,
  logs: readonly Pick<OpenedLog, 'figures'>[],
): void {
  const registers = [registry];
  const isCounted = (figure: keyof LogFigures) =>
    logs.some((log) => log.figures()[figure] !== undefined);
  const sum = (figure: keyof LogFigures) =>
    logs.reduce((total, log) => total + (log.figures()[figure] ?? 0), 0);
  const counters = {
    annals_log_commits_total: ['Transactions committed: appends that wait share one.', 'commits'],
    annals_log_appends_total: ['Appends stored.', 'appends'],
    annals_log_events_total: ['Events stored.', 'events'],
    annals_log_duplicates_total: ['Appends answered with an earlier result.', 'duplicates'],
    annals_log_failures_total: ['Appends that failed by broken I/O.', 'failures'],
  } as const;
  for (const [name, [help, figure]] of Object.entries(counters)) {
    if (!isCounted(figure)) continue;
    new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset();
        this.inc(sum(figure));
      },
    });
  }
  const gauges = {
    annals_log_queue_appends: ['Appends waiting for the writer.', 'queueDepth'],
    annals_log_queue_bytes: ['Bytes waiting for the writer.', 'queueBytes'],
  } as const;
  for (const [name, [help, figure]] of Object.entries(gauges)) {
    if (!isCounted(figure)) continue;
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(sum(figure));
      },
    });
  }
}

const labelNames = ['projection', 'generation', 'worker'] as const;

export interface ProjectionMetrics {
  readonly projections: readonly Projection[];
  readonly logOf: (projection: Projection) => Pick<EventLog, 'read'>;
  /** How every generation stands in this process. */
  readonly status: () => readonly GenerationStatus[];
  readonly now: () => number;
}

/** How far every generation of every projection is, as this process knows it. */
export function registerProjectionMetrics(registry: Registry, metrics: ProjectionMetrics): void {
  const { status } = metrics;
  const registers = [registry];
  const shares = () => status().flatMap((one) => (one.kind === 'followed' ? one.shares : []));
  const counter = (name: string, help: string, value: (share: ShareStatus) => number) =>
    new Counter({
      ...{ name, help, labelNames, registers },
      collect() {
        this.reset();
        for (const share of shares()) this.inc(labelsOf(share), value(share));
      },
    });
  const gauge = (name: string, help: string, value: (share: ShareStatus) => number | undefined) =>
    new Gauge({
      ...{ name, help, labelNames, registers },
      collect() {
        this.reset();
        for (const share of shares()) {
          const present = value(share);
          if (present !== undefined) this.set(labelsOf(share), present);
        }
      },
    });
  counter('annals_projection_events_total', 'Events applied by this process.', (s) => s.events);
  counter(
    'annals_projection_batches_total',
    'Batches committed by this process.',
    (s) => s.batches,
  );
  counter('annals_projection_errors_total', 'Errors met by this process.', (s) => s.errors);
  gauge('annals_projection_parked', 'Dead letters. Only where this process works on it.', (s) =>
    s.leased ? s.parked : undefined,
  );
  new Gauge({
    name: 'annals_projection_up',
    help: '1 while this process keeps it up to date.',
    ...{ labelNames, registers },
    collect() {
      this.reset();
      for (const share of shares()) this.set(labelsOf(share), isUp(share) ? 1 : 0);
      for (const share of sharesLeftAlone(status())) this.set(labelsOf(share), 0);
    },
  });
  new Gauge({
    name: 'annals_projection_state',
    help: '1 for the state it is in: live, catching-up, held, waiting (another process works on it), lost, halted, failing, starting, stopped; version-mismatch where it is live and made by other code.',
    labelNames: [...labelNames, 'state'],
    registers,
    collect() {
      this.reset();
      for (const share of shares()) this.set({ ...labelsOf(share), state: share.state }, 1);
      for (const share of sharesLeftAlone(status())) {
        this.set({ ...labelsOf(share), state: 'version-mismatch' }, 1);
      }
    },
  });
  registerLag(registry, metrics, shares);
}

interface Lag {
  readonly share: ShareStatus;
  readonly events: number;
  readonly seconds: number;
}

/**
 * The lag of the shares that this process works on. What another process works on, that one tells; and a
 * generation that is lost has no lag, it has to be rebuilt. So the highest of all is that of the service.
 */
function registerLag(
  registry: Registry,
  { projections, logOf, now }: ProjectionMetrics,
  shares: () => readonly ShareStatus[],
): void {
  const lagOf = async (share: ShareStatus): Promise<Lag> => {
    const projection = projections.find(({ name }) => name === share.projection);
    if (!projection) return { share, events: 0, seconds: 0 };
    const { categories } = projection;
    const page = logOf(projection).read(share.checkpoint, { categories }, { limit: lagEventsMax });
    const { events } = await page;
    const since = events[0]?.recordedAt;
    const seconds = since === undefined ? 0 : Math.max(0, now() - since) / 1_000;
    return { share, events: events.length, seconds };
  };
  let reading: Promise<readonly Lag[]> | undefined;
  // The two metrics are collected in one turn: what the one begins to read serves the other.
  const lags = () => {
    const leased = shares().filter((share) => share.leased);
    reading ??= Promise.all(leased.map(lagOf)).finally(() => {
      reading = undefined;
    });
    return reading;
  };
  const gauge = (name: string, help: string, value: (lag: Lag) => number) =>
    new Gauge({
      ...{ name, help, labelNames, registers: [registry] },
      async collect() {
        const found = await lags();
        this.reset();
        for (const lag of found) this.set(labelsOf(lag.share), value(lag));
      },
    });
  gauge(
    'annals_projection_lag_seconds',
    'Age of the first event that is not applied yet; 0 when there is none. Only where this process works on it.',
    (lag) => lag.seconds,
  );
  gauge(
    'annals_projection_lag_events',
    `Events of its categories that are not applied yet, counted up to ${lagEventsMax}. Only where this process works on it.`,
    (lag) => lag.events,
  );
}

/** They are read to be counted, on the thread that serves HTTP. */
const lagEventsMax = limits.pageEventsDefault;

type ShareName = Pick<ShareStatus, 'projection' | 'generation' | 'worker'>;

/** Of generations that are live, and that this process must not follow. */
function sharesLeftAlone(status: readonly GenerationStatus[]): readonly ShareName[] {
  return status.flatMap((one) => {
    if (one.kind !== 'version-mismatch' || !one.isLive) return [];
    const { projection, generation, workers } = one;
    return Array.from({ length: workers }, (_, worker) => ({ projection, generation, worker }));
  });
}

function labelsOf({ projection, generation, worker }: ShareName) {
  return { projection, generation: `g${generation}`, worker: String(worker) };
}

function isUp({ state }: ShareStatus): boolean {
  return state === 'live' || state === 'catching-up';
}
