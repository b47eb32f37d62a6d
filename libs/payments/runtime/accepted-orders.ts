import type { Checkpoint, EventLog } from '@annals/event-log';
import { checkoutOpened } from '../checkout-events.ts';
import { checkoutCategory } from '../streams.ts';

const pageEvents = 1_000;

interface Opened {
  readonly partition: number;
  readonly position: string;
  readonly orders: number;
}

/**
 * How many orders were accepted, by the events that accepted them and nothing else: no fold and no read model has a
 * part in it, so that an order which one of these has lost is missed. What was counted is remembered, and the log is read
 * on from there.
 */
export class AcceptedOrders {
  readonly #log: Pick<EventLog, 'read'>;
  #read: Checkpoint | 'start' = 'start';
  #orders = 0;
  /** Read already, and later than what was asked for last. */
  #ahead: Opened[] = [];

  constructor(log: Pick<EventLog, 'read'>) {
    this.#log = log;
  }

  /** Those whose events this checkpoint covers; it must not go back. One question at a time. */
  async upTo(checkpoint: Checkpoint): Promise<number> {
    for (let end = false; !end; ) {
      const filter = { categories: [checkoutCategory], types: [checkoutOpened.name] };
      const page = await this.#log.read(this.#read, filter, { limit: pageEvents });
      for (const { partition, position, data } of page.events) {
        // Who pays is sealed, the orders are not: nothing has to be opened to count them.
        const { orders } = JSON.parse(data) as { readonly orders: readonly unknown[] };
        this.#ahead.push({ partition, position, orders: orders.length });
      }
      this.#read = page.checkpoint;
      end = page.end;
      this.#take(checkpoint);
    }
    return this.#orders;
  }

  #take(checkpoint: Checkpoint): void {
    const isCovered = ({ partition, position }: Opened) =>
      position <= (checkpoint[partition] ?? '');
    for (const { orders } of this.#ahead.filter(isCovered)) this.#orders += orders;
    this.#ahead = this.#ahead.filter((one) => !isCovered(one));
  }
}
