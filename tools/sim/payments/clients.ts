import type { Random } from '../random.ts';
import {
  ask,
  askWithoutKey,
  type Command,
  type Heard,
  type KeyedCommand,
  subjectOf,
} from './front-desk.ts';
import { askCarelessly } from './http-desk.ts';
import type { ApiProcess } from './processes.ts';
import { currencies } from './twin-wallets.ts';
import type { World } from './world.ts';

export const sellers = ['shop-a', 'shop-b', 'shop-c'] as const;
const callers = ['web', 'app'] as const;
/** Small, so that keys and checkouts meet again and again. */
const checkoutsMax = 14;
const ordersMax = 3;
const hourMs = 3_600_000;

/** Cards of the sandbox, the plain ones most often. */
const cards: readonly (readonly [weight: number, token: string])[] = [
  [12, 'pm_card_visa'],
  [3, 'pm_card_threeDSecure2Required'],
  [2, 'pm_card_authenticationRequired'],
  [2, 'pm_card_chargeDeclinedProcessingError'],
  [1, 'pm_card_visa_chargeDeclinedInsufficientFunds'],
  [1, 'pm_card_authenticationRequiredChargeDeclinedInsufficientFunds'],
  [2, 'pm_card_createDispute'],
  [2, 'pm_card_pendingRefund'],
  [2, 'pm_card_refundFail'],
  [2, 'pm_sandbox_processing'],
  [1, 'pm_sandbox_processingDeclined'],
];

/** One key of one caller: everything that was sent under it, and what was heard. */
interface KeyHistory {
  readonly sent: Map<string, KeyedCommand>;
  /** Contents that have an answer for good. */
  readonly answered: Map<string, string>;
  /** Contents that were refused because of the key. */
  readonly refused: Set<string>;
}

/** The callers of the API: they send, and send again until they have an answer. */
export class Clients {
  /** What was answered that must never be, in words. */
  readonly alarms: string[] = [];
  /** Sent, and no answer for good yet: by caller, key and content. */
  readonly pending = new Map<string, KeyedCommand>();
  /** Commands with an answer that says they were carried out. */
  readonly accepted: Command[] = [];
  readonly #world: World;
  readonly #keys = new Map<string, KeyHistory>();
  #numbers = 0;
  #underWay = 0;

  constructor(world: World) {
    this.#world = world;
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Sends a command under a key, without waiting for the answer. */
  send(api: ApiProcess, keyed: KeyedCommand): void {
    const content = JSON.stringify(keyed.command);
    const history = this.#historyOf(keyed);
    history.sent.set(content, keyed);
    if (!history.answered.has(content) && !history.refused.has(content)) {
      this.pending.set(nameOf(keyed), keyed);
    }
    const { command } = keyed;
    if (this.#world.parts.careless && command.kind === 'pay' && api.door) {
      const asking = askCarelessly(api.door, { ...keyed, command });
      this.#await(asking.then((taken) => void (taken && this.alarms.push(taken))));
    }
    this.#await(
      ask(api, keyed).then(async (heard) => {
        this.#hear(keyed, content, heard);
        if (heard.kind !== 'refused' || heard.reason !== 'subject-erased') return;
        // What was refused for its key before is not asked for in another way.
        if (history.refused.has(content)) return;
        await askWithoutKey(api, keyed.caller, keyed.command);
      }),
    );
  }

  #await(work: Promise<unknown>): void {
    const { trace } = this.#world;
    this.#underWay += 1;
    work
      .catch((error: unknown) => trace.say(`answer lost: ${String(error)}`))
      .finally(() => {
        this.#underWay -= 1;
      });
  }

  /** A new payment; now and then one that is there already, under the same key or another. */
  drawPayment(): KeyedCommand {
    const { random, clock } = this.#world;
    const number = random.int(1, checkoutsMax);
    const known = this.#sent().find(
      ({ command }) => command.kind === 'pay' && command.checkout === `checkout-${number}`,
    );
    // Mostly the very same again; sometimes another body, which must be refused.
    if (known && random.chance(70)) return known;
    const caller = random.pick(callers);
    // Two callers may well choose the same key.
    const key = random.chance(80) ? `key-${number}` : `key-${random.int(1, checkoutsMax)}`;
    const currency = random.chance(70) ? 'USD' : random.pick(currencies);
    const count = random.chance(60) ? 1 : random.int(2, ordersMax);
    const orders = Array.from({ length: count }, (_, index) => ({
      id: `order-${index + 1}`,
      seller: random.chance(60) ? sellers[0] : random.pick(sellers),
      amount: String(drawnAmount(random, currency)),
    }));
    const command: Command = {
      ...{ kind: 'pay', checkout: `checkout-${number}`, currency, orders },
      capture: random.chance(65) ? 'automatic' : 'manual',
      // Without one the buyer gives a card on a page.
      method: this.#drawMethod(),
      expiresAt: clock.now() + random.int(1, 4) * hourMs,
    };
    return { caller, key, command };
  }

  /** A new payment whose buyer is sent to a page. */
  drawPage(): KeyedCommand {
    const { caller, key, command } = this.drawPayment();
    if (command.kind !== 'pay') throw new TypeError('a payment was drawn');
    return { caller, key, command: { ...command, method: undefined } };
  }

  #drawMethod(): string | undefined {
    const { random, parts } = this.#world;
    const method = random.weighted(cards);
    return parts.pages && random.chance(55) ? undefined : method;
  }

  /** A command about something that is there, under a key of its own. */
  keyed(command: Command): KeyedCommand {
    this.#numbers += 1;
    const caller = this.#world.random.pick(callers);
    return { caller, key: `command-${this.#numbers}`, command };
  }

  /** Something that was sent before: mostly what has no answer yet. */
  drawResend(): KeyedCommand | undefined {
    const { random } = this.#world;
    const waiting = [...this.pending.values()];
    const from = waiting.length > 0 && random.chance(60) ? waiting : this.#sent();
    return from.length > 0 ? random.pick(from) : undefined;
  }

  /** What was sent under a key that belongs to something else: none of it may have been carried out. */
  refused(): Command[] {
    return [...this.#keys.values()].flatMap(({ sent, refused }) =>
      [...sent].flatMap(([content, { command }]) => (refused.has(content) ? [command] : [])),
    );
  }

  #sent(): KeyedCommand[] {
    return [...this.#keys.values()].flatMap(({ sent }) => [...sent.values()]);
  }

  #historyOf({ caller, key }: KeyedCommand): KeyHistory {
    const name = JSON.stringify([caller, key]);
    const known = this.#keys.get(name);
    if (known) return known;
    const history: KeyHistory = { sent: new Map(), answered: new Map(), refused: new Set() };
    this.#keys.set(name, history);
    return history;
  }

  #hear(keyed: KeyedCommand, content: string, heard: Heard): void {
    const { trace } = this.#world;
    const { caller, key, command } = keyed;
    const history = this.#historyOf(keyed);
    const name = `${caller} ${key}`;
    trace.say(`told ${name} ${command.kind}: ${JSON.stringify(heard)}`);
    if (heard.kind === 'refused' && heard.reason === 'key-reused') {
      // The key belongs to another body of the same caller, which must have been sent before.
      if (history.sent.size === 1) this.alarms.push(`${name} is taken, and nobody has used it`);
      if (history.answered.has(content)) this.alarms.push(`${name} was answered, and is taken`);
      history.refused.add(content);
      this.pending.delete(nameOf(keyed));
      return;
    }
    if (heard.kind === 'refused' && heard.reason === 'subject-erased') {
      // Whatever was told of them before is gone, and nothing is done for them any more.
      const { erased } = this.#world.witness;
      // The key may belong to what was asked about somebody else.
      const isErased = [...history.sent.values()].some((one) => erased.has(subjectOf(one.command)));
      if (!isErased) this.alarms.push(`${name} was refused for an erasure that nobody asked for`);
      this.pending.delete(nameOf(keyed));
      return;
    }
    if (heard.kind === 'not-kept' && heard.value === 'amount-step') {
      // It is wrong whenever it is asked.
      if (history.answered.has(content)) this.alarms.push(`${name} was answered, and is wrong`);
      this.pending.delete(nameOf(keyed));
    }
    if (heard.kind !== 'answer') return;
    if (history.refused.has(content)) this.alarms.push(`${name} was refused, and has an answer`);
    const { status, body } = heard.answer;
    const reply = `${status} ${body}`;
    const before = history.answered.get(content) ?? reply;
    if (before !== reply) this.alarms.push(`${name} was told ${reply} after ${before}`);
    history.answered.set(content, reply);
    if (history.answered.size > 1) this.alarms.push(`${name} has answers for two bodies`);
    if (status < 300 && this.pending.has(nameOf(keyed))) this.accepted.push(command);
    this.pending.delete(nameOf(keyed));
  }
}

/** Any amount; of dinars mostly those that providers take. */
function drawnAmount(random: Random, currency: string): number {
  const amount = random.int(20, 50_000);
  return currency === 'KWD' && amount % 7 !== 0 ? amount - (amount % 10) : amount;
}

function nameOf({ caller, key, command }: KeyedCommand): string {
  return JSON.stringify([caller, key, command]);
}
