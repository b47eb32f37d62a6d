import { memoryEventLog } from '@annals/event-log';
import {
  type BreakClass,
  FileText,
  type Movement,
  movementOfSettlement,
  type Reconciled,
  reconcileDay,
  settlementRows,
} from '@annals/payments/reconciliation';
import { InvariantError } from '../trace.ts';
import { dayMs, dayOf } from './days.ts';
import { movementsByProvider } from './our-movements.ts';
import type { Provider } from './provider.ts';
import { openCipher, type World } from './world.ts';

const hourMs = 3_600_000;
/** Later than that our entry and the provider's line are no question of timing any more. */
const timingMs = 6 * hourMs;
/** From this many minor units on a changed fee stays below a tenth of the amount, in every currency. */
const amountMin = 10_000n;

interface Day {
  readonly provider: Provider;
  readonly date: string;
  readonly lines: readonly string[];
  readonly ledger: readonly Movement[];
}

type Counts = Partial<Record<BreakClass, number>>;

/**
 * I9: every day's settlement file is compared with our entries. Nothing is found that was not put in; what was put in
 * is found in its class; and what is mended, by a correcting entry or by a right file, is not found again.
 */
export class Reconciling {
  readonly #world: World;
  readonly #providers: readonly Provider[];

  constructor(world: World, providers: readonly Provider[]) {
    this.#world = world;
    this.#providers = providers;
  }

  async check(): Promise<void> {
    const { clock, trace } = this.#world;
    const started = this.#providers[0]?.startedAt ?? 0;
    const over = (Math.floor(clock.now() / dayMs) + 1) * dayMs;
    await clock.advance(over - clock.now() + hourMs);
    const movements = await movementsByProvider(this.#world, this.#providers);
    const dates: string[] = [];
    for (let at = started; at < over; at += dayMs) dates.push(dayOf(at));
    for (const provider of this.#providers) {
      const days: Day[] = [];
      for (const date of dates) days.push(await this.#day(provider, date, movements));
      if (days.some((day) => isLate(day, movements))) {
        trace.say(`${provider.name}: something was booked long after it was done`);
        continue;
      }
      const whole = await this.#clean(days);
      const day = whole.find(({ lines }) => lines.length > 1);
      if (!day) continue;
      await this.#mended(day);
      await this.#corrected(day);
    }
  }

  /**
   * What each file says of each day is what we have; what only waits has come with the last file. The days before
   * anything waited.
   */
  async #clean(days: readonly Day[]): Promise<readonly Day[]> {
    const run = this.#desk();
    const whole: Day[] = [];
    let waited = false;
    for (const [index, day] of days.entries()) {
      const { breaks } = await run(day, day.lines);
      const isLast = index === days.length - 1;
      const found = { ...breaks, ...(isLast ? {} : { timing: 0 }) };
      sameBreaks(found, {}, `${day.provider.name} ${day.date}, which was left alone`);
      waited ||= breaks.timing > 0;
      if (!waited) whole.push(day);
    }
    return whole;
  }

  /** What a person has to look at; the right file, when it comes, ends it. */
  async #mended(day: Day): Promise<void> {
    const run = this.#desk();
    const { lines, expected } = this.#broken(day);
    const { breaks } = await run(day, lines);
    sameBreaks(breaks, expected, `${day.provider.name} ${day.date}, which was tampered with`);
    const after = await run(day, day.lines);
    const timing = after.breaks.timing;
    sameBreaks(after.breaks, { timing }, `${day.provider.name} ${day.date}, with its right file`);
  }

  /** What is safe is corrected by an entry: the same file again shows none of it. */
  async #corrected(day: Day): Promise<void> {
    const changes = this.#charges(day);
    const [one, other] = changes;
    if (one === undefined || other === undefined) return;
    const run = this.#desk();
    const lines = [...day.lines];
    lines[one] = changed(lines, one, 'gross', 1n, 'net');
    lines[other] = changed(lines, other, 'fee', 1n, 'net', -1n);
    const { breaks } = await run(day, lines);
    const { timing } = breaks;
    const expected = { rounding: 1, fee_mismatch: 1, timing };
    sameBreaks(breaks, expected, `${day.provider.name} ${day.date}, off by one`);
    const again = await run(day, lines);
    sameBreaks(again.breaks, { timing }, `${day.provider.name} ${day.date}, corrected`);
  }

  #broken(day: Day): { readonly lines: readonly string[]; readonly expected: Counts } {
    const { random } = this.#world;
    const lines = [...day.lines];
    const gone = new Set<number>();
    const expected: Counts = {};
    const count = (name: BreakClass) => {
      expected[name] = (expected[name] ?? 0) + 1;
    };
    const end = Date.parse(`${day.date}T00:00:00Z`) + dayMs;
    // Near the end of the day one side alone waits for the next file.
    const alone = (at: number, name: BreakClass) => count(at >= end - timingMs ? 'timing' : name);
    for (const index of this.#charges(day)) {
      const line = lines[index] ?? '';
      const key = cell(lines, index, 'payment_intent_id');
      // An amount with other decimals would be a bad line in that currency.
      const isUsd = cell(lines, index, 'currency') === 'usd';
      const breaks = ['drop', 'double', 'amount', isUsd ? 'currency' : 'amount'] as const;
      switch (random.pick(breaks)) {
        case 'drop':
          gone.add(index);
          alone(day.ledger.find((entry) => entry.key === key)?.at ?? 0, 'missing_in_psp');
          break;
        case 'double':
          lines.push(line.replace(/^txn_/, 'txn_again'));
          count('duplicate_in_psp');
          break;
        case 'amount':
          lines[index] = changed(lines, index, 'gross', 500n, 'net');
          count('amount_mismatch');
          break;
        case 'currency':
          lines[index] = replaced(lines, index, 'currency', 'chf');
          count('currency_mismatch');
          break;
      }
    }
    const at = `${day.date} 01:00:00`;
    lines.push(
      `txn_alien,${at},${at},usd,10.00,0.30,9.70,charge,ch_alien,ch_alien,pi_alien,`,
      `txn_odd,${at},${at},usd,10.00,0.30,9.70,mystery,xx_1,,,`,
      'what is this',
    );
    count('missing_in_ledger');
    count('unidentified_row');
    count('unidentified_row');
    return { lines: lines.filter((_, index) => !gone.has(index)), expected };
  }

  /** The lines of some charges, by their numbers. */
  #charges({ lines }: Day): number[] {
    const found = lines.flatMap((_, index) => {
      const isCharge = index > 0 && cell(lines, index, 'reporting_category') === 'charge';
      const gross = BigInt(cell(lines, index, 'gross').replace(/\D/g, '') || '0');
      return isCharge && gross >= amountMin ? [index] : [];
    });
    return found.slice(0, 4);
  }

  /** A desk with a log of its own, that begins where ours ends. */
  #desk(): (day: Day, lines: readonly string[]) => Promise<Reconciled> {
    const { clock, storage } = this.#world;
    const log = memoryEventLog({ storage: storage.snapshot(), clock });
    const cipher = openCipher(this.#world);
    return ({ provider, date, ledger }, lines) =>
      reconcileDay(
        { log, clock, cipher },
        {
          ...{ psp: provider.name, date, format: 'stripe-balance-change-itemized-3' },
          file: new FileText(inOne(Buffer.from(`${lines.join('\n')}\n`))),
          ...{ rowsOf: settlementRows, movementOf: movementOfSettlement, ledger: inOne(ledger) },
        },
      );
  }

  async #day(
    provider: Provider,
    date: string,
    movements: ReadonlyMap<string, readonly Movement[]>,
  ): Promise<Day> {
    const psp = provider.adapter(() => false);
    for (let asked = 0; asked < 3; asked += 1) {
      const file = await this.#world.clock.until(psp.settlementFile(date));
      if (file.kind !== 'answered') {
        await this.#world.clock.advance(60_000);
        continue;
      }
      const chunks: Uint8Array[] = [];
      for await (const chunk of file.value.chunks) chunks.push(chunk);
      const lines = Buffer.concat(chunks).toString().trimEnd().split('\n');
      const ledger = (movements.get(provider.name) ?? []).filter(({ at }) => dayOf(at) === date);
      return { provider, date, lines, ledger };
    }
    throw new InvariantError('reconciled', `${provider.name} has no file of ${date}`);
  }
}

/** Whether an entry of ours is of another day than its line, and too far from it for a question of timing. */
function isLate({ provider, lines }: Day, movements: ReadonlyMap<string, readonly Movement[]>) {
  return lines.some((_, index) => {
    if (index === 0) return false;
    const keys = [cell(lines, index, 'payment_intent_id'), cell(lines, index, 'source_id')];
    const at = Date.parse(`${cell(lines, index, 'created_utc').replace(' ', 'T')}Z`);
    const ours = (movements.get(provider.name) ?? []).filter(({ key }) => keys.includes(key));
    return ours.some(
      (entry) => dayOf(entry.at) !== dayOf(at) && Math.abs(entry.at - at) > timingMs / 4,
    );
  });
}

function sameBreaks(found: Counts, expected: Counts, where: string): void {
  const names = new Set([...Object.keys(found), ...Object.keys(expected)]) as Set<BreakClass>;
  for (const name of names) {
    const [one, other] = [found[name] ?? 0, expected[name] ?? 0];
    if (one === other) continue;
    throw new InvariantError('reconciled', `${where}: ${one} of ${name}, and must be ${other}`);
  }
}

async function* inOne<T>(one: T): AsyncGenerator<T> {
  yield one;
}

function columnOf(lines: readonly string[], name: string): number {
  return (lines[0] ?? '').split(',').indexOf(name);
}

function cell(lines: readonly string[], index: number, name: string): string {
  return (lines[index] ?? '').split(',')[columnOf(lines, name)] ?? '';
}

function replaced(lines: readonly string[], index: number, name: string, to: string): string {
  return (lines[index] ?? '').split(',').with(columnOf(lines, name), to).join(',');
}

/** A line with an amount that is `by` minor units more, and the net that follows from it. */
function changed(
  lines: readonly string[],
  index: number,
  name: string,
  by: bigint,
  net: string,
  netBy = by,
): string {
  const once = [...lines];
  once[index] = replaced(once, index, name, plus(cell(once, index, name), by));
  return replaced(once, index, net, plus(cell(once, index, net), netBy));
}

/** A decimal amount and some of its smallest units. */
function plus(amount: string, by: bigint): string {
  const decimals = amount.includes('.') ? amount.length - amount.indexOf('.') - 1 : 0;
  const sum = BigInt(amount.replace('.', '')) + by;
  const digits = String(sum < 0n ? -sum : sum).padStart(decimals + 1, '0');
  const whole =
    decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
  return sum < 0n ? `-${whole}` : whole;
}
