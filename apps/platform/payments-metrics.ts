import type { HttpServer } from '@annals/http';
import type { OrdersByStage, ReactorStatus } from '@annals/payments/runtime';
import { Counter, Gauge } from 'prom-client';

export interface PaymentsMetrics {
  /** Undefined where this process cannot tell: no read model, or one that is lost. */
  readonly stages: () => Promise<OrdersByStage | undefined>;
  /** Breaks of reconciliation that wait for somebody, by queue; undefined as above. */
  readonly waitingBreaks: () => Promise<{ readonly [queue: string]: number } | undefined>;
  /** The reactors of this process; none where it has no such role. */
  readonly reactors: () => readonly ReactorStatus[];
}

/** Where every order is, and how the reactors stand. Read when they are scraped. */
export function registerPaymentsMetrics(
  registry: HttpServer['registry'],
  { stages, waitingBreaks, reactors }: PaymentsMetrics,
): void {
  const registers = [registry];
  let reading: Promise<OrdersByStage | undefined> | undefined;
  // The metrics are collected in one turn: what the first begins to read serves the others.
  const read = () => {
    reading ??= stages()
      .catch(() => undefined)
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
  new Gauge({
    name: 'annals_payment_orders',
    help: 'Orders by stage (done, in_progress, waiting for a person, retrying, dead_letter) and state: each is in one.',
    labelNames: ['stage', 'state'],
    registers,
    async collect() {
      const found = await read();
      this.reset();
      for (const { stage, state, orders } of found?.stages ?? []) {
        this.set({ stage, state }, orders);
      }
    },
  });
  const gauge = (name: string, help: string, value: (found: OrdersByStage) => number) =>
    new Gauge({
      ...{ name, help, registers },
      async collect() {
        const found = await read();
        if (found) this.set(value(found));
      },
    });
  gauge(
    'annals_payment_orders_accepted',
    'Orders that were ever accepted, counted by the log: the sum of all stages.',
    ({ accepted }) => accepted,
  );
  gauge(
    'annals_payment_orders_unaccounted',
    'Orders that were accepted and are in no stage. Anything but 0 is a fault.',
    ({ unaccounted }) => unaccounted,
  );
  gauge(
    'annals_payment_calls_dead',
    'Calls to payment providers that wait for a person.',
    ({ deadCalls }) => deadCalls,
  );
  new Gauge({
    name: 'annals_reconciliation_breaks',
    help: 'Breaks of reconciliation that wait for a person, by queue (finance, special); counted to 2,000.',
    labelNames: ['queue'],
    registers,
    async collect() {
      const found = await waitingBreaks().catch(() => undefined);
      this.reset();
      for (const [queue, breaks] of Object.entries(found ?? {})) this.set({ queue }, breaks);
    },
  });
  registerReactorMetrics(registers, reactors);
}

function registerReactorMetrics(
  registers: HttpServer['registry'][],
  reactors: PaymentsMetrics['reactors'],
): void {
  new Gauge({
    name: 'annals_reactor_state',
    help: '1 for the state it is in: running, waiting and standby (another process works), refused, failing, stopped.',
    labelNames: ['reactor', 'state'],
    registers,
    collect() {
      this.reset();
      for (const { reactor, state } of reactors()) this.set({ reactor, state }, 1);
    },
  });
  new Counter({
    name: 'annals_reactor_troubles_total',
    help: 'Attempts of this process that did not settle, and failures.',
    labelNames: ['reactor'],
    registers,
    collect() {
      this.reset();
      for (const { reactor, troubles } of reactors()) this.inc({ reactor }, troubles);
    },
  });
}
