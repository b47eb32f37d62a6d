import { type Clock, idFromKey, type SubjectCipher } from '@annals/core';
import { type EventLog, EventTypes, eventType, memoryEventLog } from '@annals/event-log';
import type { Psp } from '@annals/payments/psp';
import {
  type PspExecutorOptions,
  type PspIntent,
  type PspOutcome,
  pspExecutor,
} from '@annals/payments/reactors';
import { type AnyRecordedEvent, runReactor } from '@annals/projection';
import { z } from 'zod';

/** A domain with nothing but calls: events that ask for one, and events that say what it came to. */

const callAsked = eventType({
  name: 'call-asked',
  schemaVersion: 1,
  schema: z.strictObject({ intent: z.string() }),
});
const callCame = eventType({
  name: 'call-came',
  schemaVersion: 1,
  schema: z.strictObject({ key: z.string(), outcome: z.string() }),
});
const types = new EventTypes([callAsked, callCame]);

const noPersonalData: SubjectCipher = {
  keyring: () => Promise.reject(new Error('no event here holds personal data')),
};

/** A process of the executor; each may hang at a place, as one does that was killed there. */
export interface ExecutorProcess {
  /** Where it dies: it has done what comes before, and does nothing any more. */
  readonly dies?: 'before-call' | 'after-call' | 'after-record';
  readonly stop: AbortController;
}

/** The parameters of a call, without what the till adds. */
export type Asked = PspIntent extends infer I
  ? I extends PspIntent
    ? Omit<I, 'key' | 'intendedAt' | 'psp'>
    : never
  : never;

const never = new Promise<never>(() => undefined);

export class Till {
  readonly log: EventLog = memoryEventLog();
  readonly clock: Clock;
  readonly #psp: Psp;
  #asked = 0;
  #runs = 0;
  readonly #processes: ExecutorProcess[] = [];
  readonly #deaths = new Set<() => void>();
  readonly troubles: string[] = [];
  /** What it was said of that nobody knows it (yet). */
  readonly doubts: string[] = [];
  doubtsFail = false;

  constructor(clock: Clock, psp: Psp) {
    this.clock = clock;
    this.#psp = psp;
  }

  /** Stores an event that asks for a call; its key. */
  async ask(asked: Asked, more: { readonly psp?: string; readonly key?: string } = {}) {
    this.#asked += 1;
    const stream = `till-${this.#asked}`;
    const key = more.key ?? idFromKey('till', stream, asked.call);
    const psp = more.psp ?? this.#psp.name;
    const intent = { ...asked, key, psp, intendedAt: this.clock.now() };
    await this.#append(stream, 'call-asked', idFromKey('asked', stream), {
      intent: toText(intent),
    });
    return { key, stream };
  }

  async #append(stream: string, type: 'call-asked' | 'call-came', id: string, data: object) {
    const event = { type, id, occurredAt: 0, data } as never;
    const encoded = await types.encode([event], noPersonalData);
    if (encoded.kind !== 'encoded') throw new Error('not encoded');
    const stored = await this.log.append(stream, encoded.events, { expected: 'any' });
    if (stored.kind !== 'stored') throw new Error(`not stored: ${stored.kind}`);
  }

  /** What a call came to, as the till's stream says: at most one outcome. */
  async outcome(stream: string): Promise<PspOutcome | undefined> {
    const { events } = await this.log.readStream(stream);
    const came = events.filter(({ type }) => type === 'call-came');
    if (came.length > 1) throw new Error(`${stream} has ${came.length} outcomes`);
    const { outcome } = came[0] ? JSON.parse(came[0].data) : { outcome: undefined };
    return outcome === undefined ? undefined : (fromText(outcome) as PspOutcome);
  }

  async settled(stream: string, withinMs = 20_000): Promise<PspOutcome> {
    const end = Date.now() + withinMs;
    while (Date.now() < end) {
      const outcome = await this.outcome(stream);
      if (outcome) return outcome;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`no outcome in ${withinMs} ms; troubles: ${this.troubles.join('; ')}`);
  }

  /** Starts an executor, with nothing in its memory. */
  start({ dies, ...options }: Partial<TillOptions> & Pick<ExecutorProcess, 'dies'> = {}): void {
    this.#runs += 1;
    const process: ExecutorProcess = {
      stop: new AbortController(),
      ...(dies === undefined ? {} : { dies }),
    };
    this.#processes.push(process);
    const reactor = pspExecutor({
      name: 'till-calls',
      categories: ['till'],
      clock: this.clock,
      psp: (name) => (name === this.#psp.name ? this.#mortal(process) : undefined),
      decode: (events, cipher) => types.decode(events, cipher),
      intentOf,
      stands: async () => (dies === 'before-call' ? this.#die() : true),
      record: async ({ key }, outcome, { stream }) => {
        await options.before?.();
        const data = { key, outcome: toText(outcome) };
        await this.#append(stream, 'call-came', idFromKey('came', key), data);
        if (dies === 'after-record') await this.#die();
      },
      doubt: async ({ call }, detail) => {
        this.doubts.push(`${call} ${detail}`);
        if (this.doubtsFail) throw new Error('the log is away');
      },
      limits: { callWithinMs: 100, ...options.limits },
      ...options.means,
    });
    const ended = runReactor({
      ...{ log: this.log, reactor, cipher: noPersonalData, clock: this.clock },
      ...{ signal: process.stop.signal, runId: `run-${this.#runs}`, from: {} },
      onTrouble: ({ reason }) => this.troubles.push(reason),
    });
    ended.catch((error: unknown) => this.troubles.push(String(error)));
  }

  /** How many calls the executor's own stream holds as done. */
  async settledEffects(): Promise<number> {
    const { events } = await this.log.readStream('reactor-till-calls');
    return events.filter(({ type }) => type === 'effect-done').length;
  }

  /** Resolves when a process has died where it was told to. */
  death(): Promise<void> {
    return new Promise((resolve) => this.#deaths.add(resolve));
  }

  stop(): void {
    for (const { stop } of this.#processes) stop.abort();
  }

  #die(): Promise<never> {
    for (const tell of this.#deaths) tell();
    this.#deaths.clear();
    return never;
  }

  /** The provider; the answer to a call never reaches a process that dies after it. */
  #mortal({ dies }: ExecutorProcess): Psp {
    if (dies !== 'after-call') return this.#psp;
    return new Proxy(this.#psp, {
      get: (psp, name: keyof Psp) => {
        const member = psp[name];
        if (typeof member !== 'function') return member;
        return async (...given: unknown[]) => {
          await (member as (...all: unknown[]) => unknown).apply(psp, given);
          return this.#die();
        };
      },
    });
  }
}

interface TillOptions {
  readonly limits: NonNullable<PspExecutorOptions['limits']>;
  readonly means: Partial<PspExecutorOptions>;
  /** Comes before each outcome is written. */
  readonly before: () => Promise<void>;
}

function intentOf(event: AnyRecordedEvent): PspIntent | undefined {
  if (event.type !== 'call-asked') return undefined;
  return fromText((event.data as { readonly intent: string }).intent) as PspIntent;
}

function toText(value: object): string {
  return JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}n` : one));
}

function fromText(text: string): unknown {
  return JSON.parse(text, (_, one) =>
    typeof one === 'string' && /^-?\d+n$/.test(one) ? BigInt(one.slice(0, -1)) : one,
  );
}
