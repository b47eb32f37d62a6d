import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const durationBucketsSeconds = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** The metrics of one server, in a registry of its own, so that two servers in one process stay apart. */
export class HttpMetrics {
  readonly registry = new Registry();
  readonly streamsOpen: Gauge;
  readonly streamsDropped: Counter;
  readonly #durations: Histogram;
  /** Requests begun and not settled. */
  inFlight = 0;

  constructor(options: { readonly processMetrics: boolean }) {
    const registers = [this.registry];
    if (options.processMetrics) collectDefaultMetrics({ register: this.registry });
    this.#durations = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'From the first header to the end of the answer, by route pattern. Event streams are not in it.',
      labelNames: ['method', 'route', 'status'],
      buckets: durationBucketsSeconds,
      registers,
    });
    const inFlight = () => this.inFlight;
    new Gauge({
      name: 'http_requests_in_flight',
      help: 'Requests begun and not answered yet, open event streams included.',
      registers,
      collect() {
        this.set(inFlight());
      },
    });
    this.streamsOpen = new Gauge({
      name: 'http_event_streams_open',
      help: 'Event streams open now.',
      registers,
    });
    this.streamsDropped = new Counter({
      name: 'http_event_streams_dropped_total',
      help: 'Event streams whose client read too slowly and was dropped.',
      registers,
    });
  }

  /**
   * The observer of one route. It keeps the histogram's child for each status: looking one up by its
   * labels costs more than the observation.
   */
  routeDurations(method: string, route: string): (status: number, seconds: number) => void {
    const byStatus = new Map<number, Histogram.Internal<string>>();
    return (status, seconds) => {
      let child = byStatus.get(status);
      if (!child) {
        child = this.#durations.labels({ method, route, status });
        byStatus.set(status, child);
      }
      child.observe(seconds);
    };
  }
}
