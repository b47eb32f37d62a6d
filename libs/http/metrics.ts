import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { DurationHistogram } from './duration-histogram.ts';

/** The metrics of one server, in a registry of its own, so that two servers in one process stay apart. */
export class HttpMetrics {
  readonly registry = new Registry();
  readonly streamsOpen: Gauge;
  readonly streamsDropped: Counter;
  readonly #durations: DurationHistogram;
  /** Requests begun and not settled. */
  inFlight = 0;

  constructor(options: { readonly processMetrics: boolean }) {
    const registers = [this.registry];
    if (options.processMetrics) collectDefaultMetrics({ register: this.registry });
    this.#durations = new DurationHistogram(
      this.registry,
      'http_request_duration_seconds',
      'From the first header to the end of the answer, by route pattern. Event streams are not in it.',
      ['method', 'route'],
    );
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

  /** The observer of one route. */
  routeDurations(method: string, route: string): (status: number, seconds: number) => void {
    return this.#durations.observer({ method, route });
  }
}
