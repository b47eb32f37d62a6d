import { type BreakClass, breakClasses } from './break-classes.ts';
import { reconciliationLimits as limits } from './limits.ts';
import type { MappedLine } from './mapped-line.ts';
import { type Break, broken, type Comparing, matchKey } from './match-key.ts';
import {
  bankStatuses,
  decodeMovement,
  encodedKey,
  encodeMovement,
  type Movement,
  type Side,
  toldByProvider,
} from './movement.ts';
import { SortedLines } from './sorted-lines.ts';
import { nothingSettled, type Settled } from './state.ts';

export interface Reconciling<Row> {
  /** The file as its mapper reads it. */
  readonly file: AsyncIterable<readonly MappedLine<Row>[]>;
  /** What a row says; undefined where it means nothing to us. */
  readonly movementOf: (row: Row) => Movement | undefined;
  /** Our side, in any order, with the entries that correct others. */
  readonly ledger: AsyncIterable<readonly Movement[]>;
  /** What waited for this file; see `waiting`. */
  readonly waiting?: {
    readonly outside: readonly Movement[];
    readonly ledger: readonly Movement[];
  };
  readonly until: number;
  readonly timingMs?: number;
  /** See `Comparing`. */
  readonly sameIdIsSameLine?: boolean;
  /** Breaks as they are found, in the order of their keys; bad lines come first, in the order of the file. */
  readonly onBreaks: (breaks: readonly Break[]) => void | Promise<void>;
  /** Where scratch files go, where memory does not hold all rows: a folder of its own is made in it and removed. */
  readonly scratchFolder?: string;
  /** Rows of one sorted run; for tests. */
  readonly runRows?: number;
}

export interface Reconciled {
  readonly lines: number;
  readonly entries: number;
  readonly matched: number;
  readonly breaks: { readonly [Class in BreakClass]: number };
  /** What the file says has left the balance at the provider, by currency; without what waited for it. */
  readonly settled: ReadonlyMap<string, Settled>;
}

/**
 * Compares a file with our side. Both may have any length and any order: memory holds one sorted run, and the rows of
 * one key. Throws ReconciliationFileError for a file that cannot be used, and then no break counts.
 */
export async function reconcile<Row>(input: Reconciling<Row>): Promise<Reconciled> {
  await using sorted = new SortedLines(input.scratchFolder, input.runRows);
  const counts = new Counts(input.onBreaks);
  const lines = await addFile(sorted, input, counts);
  const entries = await addLedger(sorted, input);
  const comparing = {
    until: input.until,
    timingMs: input.timingMs ?? limits.timingMsMax,
    sameIdIsSameLine: input.sameIdIsSameLine ?? false,
  };
  const { matched, settled, highFees } = await matchAll(sorted, comparing, counts);
  await counts.found(highFees);
  return { lines, entries, matched, breaks: counts.byClass(), settled };
}

class Counts {
  readonly #onBreaks: Reconciling<never>['onBreaks'];
  readonly #counts = new Map<BreakClass, number>();

  constructor(onBreaks: Reconciling<never>['onBreaks']) {
    this.#onBreaks = onBreaks;
  }

  async found(breaks: readonly Break[]): Promise<void> {
    if (breaks.length === 0) return;
    for (const one of breaks) this.#counts.set(one.class, (this.#counts.get(one.class) ?? 0) + 1);
    await this.#onBreaks(breaks);
  }

  byClass(): Reconciled['breaks'] {
    return Object.fromEntries(
      breakClasses.map((name) => [name, this.#counts.get(name) ?? 0]),
    ) as Reconciled['breaks'];
  }
}

async function addFile<Row>(
  sorted: SortedLines,
  { file, movementOf, waiting }: Reconciling<Row>,
  counts: Counts,
): Promise<number> {
  let lines = 0;
  await sorted.add((waiting?.outside ?? []).map((one) => encodeMovement('outside', again(one))));
  for await (const batch of file) {
    const encoded: string[] = [];
    const unidentified: Break[] = [];
    for (const line of batch) {
      lines += 1;
      const movement = line.kind === 'row' ? movementOf(line.row) : undefined;
      if (movement) {
        encoded.push(encodeMovement('outside', movement));
        continue;
      }
      const detail = line.kind === 'bad' ? `${line.reason}: ${line.detail}` : 'means nothing to us';
      const key = `line ${line.line}`;
      const one = broken('unidentified_row', key, undefined, undefined);
      unidentified.push({ ...one, line: line.line, detail });
    }
    await sorted.add(encoded);
    await counts.found(unidentified);
  }
  return lines;
}

async function addLedger<Row>(
  sorted: SortedLines,
  { ledger, waiting }: Reconciling<Row>,
): Promise<number> {
  let entries = 0;
  await sorted.add((waiting?.ledger ?? []).map((one) => encodeMovement('ledger', again(one))));
  for await (const batch of ledger) {
    entries += batch.length;
    await sorted.add(batch.map((movement) => encodeMovement('ledger', movement)));
  }
  return entries;
}

function again(movement: Movement): Movement {
  return { ...movement, waited: movement.waited + 1 };
}

async function matchAll(
  sorted: SortedLines,
  comparing: Comparing,
  counts: Counts,
): Promise<Pick<Reconciled, 'matched' | 'settled'> & { readonly highFees: readonly Break[] }> {
  let matched = 0;
  const settling = new Settling();
  let group: string[] = [];
  let key: string | undefined;
  const close = (): readonly Break[] => {
    const found = matchGroup(group, comparing);
    matched += found.matched;
    settling.add(group);
    group = [];
    return found.breaks;
  };
  for await (const batch of sorted.merged()) {
    const breaks: Break[] = [];
    for (const line of batch) {
      const next = encodedKey(line);
      if (next !== key && group.length > 0) breaks.push(...close());
      key = next;
      group.push(line);
      if (group.length > limits.keyRowsMax) {
        throw new RangeError(`more than ${limits.keyRowsMax} rows have one key`);
      }
    }
    await counts.found(breaks);
  }
  if (group.length > 0) await counts.found(close());
  return { matched, settled: settling.byCurrency, highFees: settling.highFees(comparing.until) };
}

function matchGroup(
  group: readonly string[],
  comparing: Comparing,
): { readonly breaks: readonly Break[]; readonly matched: number } {
  const [first = '', second = ''] = group;
  // By far the most keys have one line and one entry that say the same: told without reading them.
  if (group.length === 2 && saysTheSame(first, second)) return { breaks: [], matched: 1 };
  const sides: { readonly [S in Side]: Movement[] } = { outside: [], ledger: [] };
  for (const line of group) {
    const { side, movement } = decodeMovement(line);
    sides[side].push(movement);
  }
  const key = sides.outside[0]?.key ?? sides.ledger[0]?.key ?? '';
  return matchKey(key, sides.outside, sides.ledger, comparing);
}

/** Adds up what lines of a file say has left the balance: the same move is counted once, however often it stands there. */
class Settling {
  readonly byCurrency = new Map<string, Settled>();
  /** What buyers were charged, by currency. */
  readonly #charged = new Map<string, bigint>();

  add(group: readonly string[]): void {
    const seen = new Set<string>();
    for (const encoded of group) {
      const [, status, mark, currency = '', amount = ''] = encoded.split('\t', 5);
      if (mark !== 'o') continue;
      const named = status as Movement['status'];
      if (named === 'captured') {
        const before = this.#charged.get(currency) ?? 0n;
        this.#charged.set(currency, before + BigInt(amount));
      }
      // Most lines are charges: told without reading all of them.
      if (!bankStatuses.has(named) && !toldByProvider.has(named)) continue;
      const { movement } = decodeMovement(encoded);
      // What waited was booked with the file that it was in.
      if (movement.waited > 0 || seen.has(movement.id)) continue;
      seen.add(movement.id);
      this.#book(movement);
    }
  }

  #book({ status, currency, amount, fee }: Movement): void {
    const { bank, fees } = this.byCurrency.get(currency) ?? nothingSettled;
    const after = bankStatuses.has(status)
      ? // The fee of a payout is compared with ours; that of a top-up has nothing that stands opposite.
        { bank: bank - amount, fees: toldByProvider.has(status) ? fees + fee : fees }
      : { bank, fees: fees + fee - amount };
    this.byCurrency.set(currency, after);
  }

  /** Fees of no single payment are booked, since the money is gone; somebody looks at more of them than is usual. */
  highFees(until: number): Break[] {
    const high = [...this.byCurrency].filter(
      ([currency, { fees }]) =>
        fees > 0n &&
        fees * 10_000n > (this.#charged.get(currency) ?? 0n) * BigInt(limits.feeBasisPointsMax),
    );
    return high.map(([currency, { fees }]) => {
      const key = `fees ${currency}`;
      const told = { key, status: 'provider_fee', currency, amount: -fees, fee: 0n } as const;
      const line = { ...told, at: until - 1, id: key, waited: 0 };
      return { ...broken('fee_mismatch', key, line, undefined), treatment: 'finance' };
    });
  }
}

/** One encoded line of each side, neither a correction, with equal status, currency, amount and fee. */
function saysTheSame(first: string, second: string): boolean {
  const a = first.split('\t');
  const b = second.split('\t');
  const sameSide = a[2] === b[2];
  const plain = a[8] === '' && b[8] === '';
  return !sameSide && plain && [1, 3, 4, 5].every((index) => a[index] === b[index]);
}

/** What the breaks of class `timing` leave for the next file. */
export function waitingOf(breaks: readonly Break[]): {
  readonly outside: readonly Movement[];
  readonly ledger: readonly Movement[];
} {
  const late = breaks.filter((one) => one.class === 'timing');
  return {
    outside: late.flatMap(({ outside }) => outside ?? []),
    ledger: late.flatMap(({ ledger }) => ledger ?? []),
  };
}
