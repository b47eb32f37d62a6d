import type { Faults } from './faults.ts';
import type { Job } from './job.ts';
import { type Kind, type Objects, prefixes } from './objects.ts';
import type { Storage } from './storage.ts';

/** How long things take in the sandbox, in milliseconds. */
export interface Pace {
  readonly processingMs: number;
  readonly refundMs: number;
  readonly payoutInTransitMs: number;
  readonly payoutPaidMs: number;
  /** From `paid` to `failed`. */
  readonly payoutFailsMs: number;
  readonly disputeMs: number;
  readonly disputeDecidedMs: number;
  readonly evidenceMs: number;
  /** How long an authorization lives. */
  readonly authorizationMs: number;
  readonly searchLagMs: number;
  readonly reportMs: number;
  readonly keyLifeMs: number;
  /** Waits between the attempts to deliver a webhook; after the last one it is given up. */
  readonly webhookRetriesMs: readonly number[];
}

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Quick enough to watch, with the order of things as it is in the world. */
export const defaultPace: Pace = {
  processingMs: 2 * secondMs,
  refundMs: 2 * secondMs,
  payoutInTransitMs: secondMs,
  payoutPaidMs: 3 * secondMs,
  payoutFailsMs: 5 * secondMs,
  disputeMs: 2 * secondMs,
  disputeDecidedMs: 3 * secondMs,
  evidenceMs: 7 * dayMs,
  authorizationMs: 7 * dayMs,
  searchLagMs: 2 * secondMs,
  reportMs: 500,
  keyLifeMs: 24 * hourMs,
  webhookRetriesMs: [
    secondMs,
    5 * secondMs,
    30 * secondMs,
    5 * minuteMs,
    hourMs,
    6 * hourMs,
    dayMs,
  ],
};

/** What the sandbox keeps for itself. */
export interface Fees {
  /** Hundredths of a percent of a charge, rounded half up. */
  readonly percentBasisPoints: number;
  /** And so many minor units for each charge, by the number of the currency's decimals. */
  readonly fixedByExponent: readonly number[];
  readonly disputeByExponent: readonly number[];
}

export const defaultFees: Fees = {
  percentBasisPoints: 290,
  fixedByExponent: [30, 0, 30, 100],
  disputeByExponent: [1_500, 0, 1_500, 5_000],
};

export interface BooksMeans {
  readonly storage: Storage;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** At least 0, below 1. */
  readonly random: () => number;
  readonly pace: Pace;
  readonly fees: Fees;
  readonly faults: Faults;
  /** Where browsers find the sandbox's pages. */
  readonly publicUrl: () => string;
  readonly apiVersion: string;
}

export interface RequestOfBooks {
  readonly id: string | null;
  readonly idempotencyKey: string | null;
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** The books as one request or job sees them: one moment, one transaction. */
export class Books {
  readonly storage: Storage;
  readonly means: BooksMeans;
  readonly nowMs: number;
  readonly #request: RequestOfBooks;

  constructor(means: BooksMeans, request: RequestOfBooks = { id: null, idempotencyKey: null }) {
    this.means = means;
    this.storage = means.storage;
    this.nowMs = means.now();
    this.#request = request;
  }

  get pace(): Pace {
    return this.means.pace;
  }

  /** Seconds since 1970, as Stripe's objects have them. */
  get now(): number {
    return Math.floor(this.nowMs / 1_000);
  }

  newId(prefix: string): string {
    return `${prefix}${randomLetters(this.means.random, 24)}`;
  }

  idOf(kind: Kind): string {
    return this.newId(prefixes[kind]);
  }

  job(afterMs: number, job: Job): void {
    this.storage.addJob(this.nowMs + afterMs, job);
  }

  get<K extends Kind>(kind: K, id: string): Objects[K] | undefined {
    return this.storage.get(kind, id);
  }

  /** An object that another one names: it is there. */
  need<K extends Kind>(kind: K, id: string): Objects[K] {
    const object = this.storage.get(kind, id);
    if (!object) throw new Error(`the books name ${kind} ${id}, which is not there`);
    return object;
  }

  /** Writes an event with the object as it is now, and has it delivered. */
  emit(type: string, object: object): void {
    const id = this.idOf('event');
    const endpoints = this.storage
      .page('webhook_endpoint', { limit: endpointsMax })
      .filter(({ status, enabled_events: types }) => {
        return status === 'enabled' && (types.includes('*') || types.includes(type));
      });
    this.storage.insert('event', {
      id,
      object: 'event',
      api_version: this.means.apiVersion,
      created: this.now,
      data: { object },
      livemode: false,
      pending_webhooks: endpoints.length,
      request: { id: this.#request.id, idempotency_key: this.#request.idempotencyKey },
      type,
    });
    for (const endpoint of endpoints) this.#deliver(id, type, endpoint.id);
  }

  #deliver(event: string, type: string, endpoint: string): void {
    const fault = this.means.faults.ofEvent(type);
    if (fault?.do === 'lose') return;
    const job = { do: 'deliver', event, endpoint, attempt: 0 } as const;
    if (fault?.do === 'double') this.job(0, job);
    // Events that come meanwhile overtake this one.
    const late = fault?.do === 'delay' || fault?.do === 'reorder' ? fault.ms : 0;
    this.job(late, job);
  }
}

export const endpointsMax = 16;

export function randomLetters(random: () => number, length: number): string {
  return Array.from({ length }, () => letters[Math.floor(random() * letters.length)]).join('');
}
