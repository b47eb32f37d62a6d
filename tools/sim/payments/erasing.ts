import type { SubjectCipher } from '@annals/core';
import { EventTypes, eventType, type MemoryEventLog, memoryEventLog } from '@annals/event-log';
import { buyerSubject, checkoutEvents } from '@annals/payments';
import { idempotencyEvents } from '@annals/payments/idempotency';
import {
  enforceErasures,
  eraseSubject,
  erasureCategory,
  erasureEvent,
  erasureStream,
  memorySubjectKeyStore,
  subjectErased,
} from '@annals/subject-keys';
import { InvariantError } from '../trace.ts';
import type { Fact } from './naive-market.ts';
import { openCipher, type World } from './world.ts';

const erasures = new EventTypes([eventType(subjectErased)]);
/** Where a process dies that erases somebody: before the event, or between the event and the key. */
const deaths = [
  [3, 'none'],
  [1, 'before the event'],
  [1, 'before destroy'],
] as const;

/** What every buyer is called: each by a name of their own, so that one who was erased can be told from the others. */
export function buyerOf(checkout: string): string {
  return `Ann of the simulation, ${checkout}`;
}

/** Buyers who ask to be forgotten, and what must be left of them: the money, and not a word. */
export class Erasing {
  readonly #world: World;
  #backup: World['keys']['keys'] | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  /** Somebody is erased; who does it may die before the key is destroyed. */
  async erase(log: MemoryEventLog): Promise<void> {
    const { random, clock, witness, trace, keys: shared } = this.#world;
    const checkouts = [...new Set([...witness.market.orders.values()].map((one) => one.checkout))];
    if (checkouts.length === 0) return;
    const checkout = random.pick(checkouts);
    const death = random.weighted(deaths);
    const fault = (point: string) => {
      if (point === death) throw new Error('the process died');
    };
    const keys = memorySubjectKeyStore({ shared, fault });
    const cipher = openCipher(this.#world);
    const appendErased = async (subject: string) => {
      fault('before the event');
      const encoded = await erasures.encode([erasureEvent(subject, clock.now())], cipher);
      if (encoded.kind !== 'encoded') throw new TypeError('an erasure names no person');
      return log.append(erasureStream(subject), encoded.events, { expected: 'any' });
    };
    const { kind } = await eraseSubject({ appendErased, keys }, buyerSubject(checkout));
    trace.say(`erase ${checkout}: ${kind}`);
  }

  /** What a process does as it starts: whom the log says is erased has no key any more. */
  async enforce(log: Pick<MemoryEventLog, 'read'>): Promise<void> {
    const { keys: shared, trace } = this.#world;
    const { keysDestroyed } = await enforceErasures(
      memorySubjectKeyStore({ shared }),
      erasedSubjects(log),
    );
    if (keysDestroyed > 0) trace.say(`enforced ${keysDestroyed} erasures`);
  }

  /** Keys are copied; the next time the copy is put back: who was erased since has a key again, until a process starts. */
  async useBackup(log: Pick<MemoryEventLog, 'read'>): Promise<void> {
    const { keys } = this.#world.keys;
    const backup = this.#backup;
    this.#backup = backup ? undefined : new Map(keys);
    if (!backup) return;
    for (const [subject, key] of backup) keys.set(subject, key);
    await this.enforce(log);
  }

  /** Nothing of those who were erased can be read any more, and all of everybody else. */
  async check(): Promise<void> {
    const { storage, clock, trace, witness } = this.#world;
    const { erased } = witness;
    trace.say(`erased: ${[...erased].join(' ')}`);
    const log = memoryEventLog({ storage, clock });
    const cipher = openCipher(this.#world);
    await this.enforce(log);
    for (const stream of new Set(witness.facts.map((fact) => fact.stream))) {
      for (const { subject, name, text } of await personalOf(log, stream, cipher)) {
        const isErased = erased.has(subject);
        if (isErased === (text === undefined)) continue;
        const left = isErased
          ? `still has ${name} of ${subject}`
          : `has lost ${name} of ${subject}`;
        throw new InvariantError('erased', `${stream} ${left}: ${text}`);
      }
    }
  }
}

interface Personal {
  readonly subject: string;
  readonly name: string;
  readonly text: string | undefined;
}

/** All that a stream holds of persons, as somebody with all the keys reads it. */
async function personalOf(
  log: MemoryEventLog,
  stream: string,
  cipher: SubjectCipher,
): Promise<readonly Personal[]> {
  if (stream.startsWith('checkout-')) {
    const { events } = await log.readStream(stream, { limit: 1_000 });
    const facts = (await checkoutEvents.decode(events, cipher)) as unknown as Fact[];
    const hasPage = facts[1]?.type === 'payment-page-requested';
    const sealed: { readonly [type: string]: readonly string[] } = {
      'checkout-opened': hasPage ? ['buyer_info'] : ['buyer_info', 'method'],
      'payment-page-completed': ['method', 'fingerprint'],
    };
    return facts.flatMap(({ type, data }) =>
      (sealed[type] ?? []).map((name) => {
        const subject = buyerSubject(String(data.checkout_id));
        const text = data[name] === undefined ? undefined : JSON.stringify(data[name]);
        return { subject, name, text };
      }),
    );
  }
  if (!stream.startsWith('idempotency-')) return [];
  const { events } = await log.readStream(stream, { direction: 'backward', limit: 1 });
  const last = (await idempotencyEvents.decode(events, cipher)) as unknown as Fact[];
  const answers = last.filter(({ type }) => type === 'request-answered');
  return answers.map(({ data: { subject, body } }) => {
    return { subject: String(subject), name: 'an answer', text: body as string | undefined };
  });
}

async function* erasedSubjects(log: Pick<MemoryEventLog, 'read'>): AsyncGenerator<string> {
  const page = await log.read('start', { categories: [erasureCategory] });
  for (const { data } of page.events) yield (JSON.parse(data) as { subject: string }).subject;
}
