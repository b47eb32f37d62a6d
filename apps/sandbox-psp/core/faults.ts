import { z } from 'zod';
import type { Storage } from './storage.ts';

/** What a fault does to a request, to the webhook of an event, or to the money later. */
const ofRequest = z.strictObject({
  /** The operation it strikes, as in `payment_intents.confirm`; `*` for all. */
  operation: z.string().min(1).max(100),
  /** `refuse`: answered with a 400, and nothing is done. */
  do: z.enum([
    'delay',
    'cut',
    'error',
    'gateway_error',
    'refuse',
    'dispute_later',
    'fail_after_paid',
  ]),
  /** Before anything is written, or after it was committed. */
  when: z.enum(['before', 'after']).default('before'),
  ms: z.int().min(0).max(86_400_000).default(1_000),
});
const ofEvent = z.strictObject({
  /** The type of the event, as in `payment_intent.succeeded`; `*` for all. */
  event: z.string().min(1).max(100),
  /** `reorder` is a short delay in which later events overtake. */
  do: z.enum(['delay', 'double', 'reorder', 'lose']),
  ms: z.int().min(0).max(86_400_000).default(1_000),
});
const often = {
  /** How often it strikes before it is spent. */
  times: z.int().min(1).max(1_000_000).default(1),
  /** Matching requests or events that are left alone first. */
  skip: z.int().min(0).max(1_000_000).default(0),
  /** How likely it strikes, from 0 to 1. */
  chance: z.number().min(0).max(1).default(1),
};

export const faultSchema = z.union([ofRequest.extend(often), ofEvent.extend(often)]);
export type FaultInput = z.input<typeof faultSchema>;
export type Fault = z.output<typeof faultSchema> & { readonly id: string };
type RequestFault = Extract<Fault, { readonly operation: string }>;
type EventFault = Extract<Fault, { readonly event: string }>;

export const faultsMax = 1_000;

/** The rules of what goes wrong. Kept in the books, so that they outlive a kill; asked for within a transaction. */
export class Faults {
  readonly #storage: Storage;
  readonly #random: () => number;
  #faults: Fault[];

  constructor(storage: Storage, random: () => number) {
    this.#storage = storage;
    this.#random = random;
    this.#faults = storage
      .faults()
      .map(({ id, data }) => ({ ...faultSchema.parse(JSON.parse(data)), id }));
  }

  list(): readonly Fault[] {
    return this.#faults;
  }

  add(id: string, input: z.output<typeof faultSchema>): Fault {
    if (this.#faults.length >= faultsMax) throw new RangeError(`there are ${faultsMax} faults`);
    const fault = { ...input, id };
    this.#storage.putFault(id, input);
    this.#faults.push(fault);
    return fault;
  }

  clear(): void {
    for (const { id } of this.#faults) this.#storage.removeFault(id);
    this.#faults = [];
  }

  /** The faults that strike this request, each at most once. */
  ofRequest(operation: string): readonly RequestFault[] {
    return this.#struck(
      (fault): fault is RequestFault => 'operation' in fault && matches(fault.operation, operation),
    );
  }

  /** The fault that strikes this event's delivery. */
  ofEvent(type: string): EventFault | undefined {
    const struck = this.#struck(
      (fault): fault is EventFault => 'event' in fault && matches(fault.event, type),
      1,
    );
    return struck[0];
  }

  #struck<F extends Fault>(concerns: (fault: Fault) => fault is F, max = faultsMax): F[] {
    const struck: F[] = [];
    for (const fault of [...this.#faults]) {
      if (struck.length >= max || !concerns(fault)) continue;
      if (fault.skip > 0) {
        this.#replace({ ...fault, skip: fault.skip - 1 });
      } else if (fault.chance >= 1 || this.#random() < fault.chance) {
        struck.push(fault);
        this.#replace({ ...fault, times: fault.times - 1 });
      }
    }
    return struck;
  }

  #replace(fault: Fault): void {
    const { id, ...data } = fault;
    if (fault.times <= 0) {
      this.#storage.removeFault(id);
      this.#faults = this.#faults.filter((one) => one.id !== id);
      return;
    }
    this.#storage.putFault(id, data);
    this.#faults = this.#faults.map((one) => (one.id === id ? fault : one));
  }
}

function matches(pattern: string, name: string): boolean {
  if (pattern.endsWith('*')) return name.startsWith(pattern.slice(0, -1));
  return pattern === name;
}
