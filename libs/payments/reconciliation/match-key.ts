import type { BreakClass, Treatment } from './break-classes.ts';
import { breakClassTable } from './break-classes.ts';
import { reconciliationLimits as limits } from './limits.ts';
import { announced, type Movement, toldByProvider } from './movement.ts';

/** A difference between the two sides. */
export interface Break {
  readonly class: BreakClass;
  readonly treatment: Treatment;
  readonly key: string;
  readonly outside?: Movement;
  readonly ledger?: Movement;
  /** Of a line that says nothing. */
  readonly line?: number;
  readonly detail?: string;
}

/** What the sides are compared by. */
export interface Comparing {
  /** The end of the time that the file is about, in milliseconds since 1970: what is close to it may wait. */
  readonly until: number;
  readonly timingMs: number;
  /** A line with the id of another one of the same key is that line: files overlap. */
  readonly sameIdIsSameLine?: boolean;
}

/** All of one key, compared. Pure. */
export function matchKey(
  key: string,
  lines: readonly Movement[],
  entries: readonly Movement[],
  comparing: Comparing,
): { readonly breaks: readonly Break[]; readonly matched: number } {
  const outside = comparing.sameIdIsSameLine ? withoutRepeats(lines) : lines;
  const ledger = corrected(entries.filter(({ status }) => !announced.has(status)));
  const pending = entries.filter(({ status }) => announced.has(status));
  const breaks: Break[] = [];
  const alone: { outside: Movement[]; ledger: Movement[] } = { outside: [], ledger: [] };
  let matched = 0;
  for (const status of new Set([...outside, ...ledger].map((movement) => movement.status))) {
    const own = outside.filter((movement) => movement.status === status);
    const ours = ledger.filter((movement) => movement.status === status);
    const pairs = toldByProvider.has(status) ? [] : pairsOf(own, ours);
    for (const { line, entry } of pairs) {
      const found = compare(key, line, entry);
      if (found.length === 0) matched += 1;
      breaks.push(...found);
    }
    const paired = new Set(pairs.flatMap(({ line, entry }) => [line, entry]));
    const moreLines = own.filter((line) => !paired.has(line));
    const moreEntries = ours.filter((entry) => !paired.has(entry));
    if (pairs.length === 0) {
      // Where nothing stands opposite, a second one is a duplicate of the first, and the first is on its own.
      const [line, entry] = [moreLines.shift(), moreEntries.shift()];
      if (line && toldByProvider.has(status)) matched += 1;
      else if (line) alone.outside.push(line);
      if (entry) alone.ledger.push(entry);
    }
    for (const more of moreLines) breaks.push(broken('duplicate_in_psp', key, more, undefined));
    for (const more of moreEntries) {
      breaks.push(broken('duplicate_in_ledger', key, undefined, more));
    }
  }
  breaks.push(...pendingRefunds(key, outside, { alone, pending }, comparing));
  breaks.push(...oneSided(key, alone, comparing));
  return { breaks, matched };
}

function withoutRepeats(lines: readonly Movement[]): readonly Movement[] {
  const byId = new Map(lines.map((line) => [`${line.status} ${line.id}`, line]));
  return [...byId.values()];
}

/** Entries with what later entries corrected of them; those that are corrected to nothing are gone. */
function corrected(entries: readonly Movement[]): Movement[] {
  if (entries.every(({ corrects }) => corrects === undefined)) return [...entries];
  const byId = new Map(
    entries.filter(({ corrects }) => corrects === undefined).map((entry) => [entry.id, entry]),
  );
  const touched = new Set<string>();
  for (const correction of entries) {
    const { corrects } = correction;
    if (corrects === undefined) continue;
    const entry = byId.get(corrects);
    if (!entry || entry.currency !== correction.currency) {
      throw new Error(`correction ${correction.id} names ${corrects}, which is not such an entry`);
    }
    touched.add(corrects);
    const amount = entry.amount + correction.amount;
    byId.set(corrects, { ...entry, amount, fee: entry.fee + correction.fee });
  }
  return [...byId.values()].filter(
    ({ id, amount, fee }) => !(touched.has(id) && amount === 0n && fee === 0n),
  );
}

/** What says the same stands opposite each other; of the rest, whichever comes. */
function pairsOf(
  lines: readonly Movement[],
  entries: readonly Movement[],
): { readonly line: Movement; readonly entry: Movement }[] {
  const same = Map.groupBy(entries, amountsOf);
  const left = new Set(entries);
  const pairs: { line: Movement; entry: Movement }[] = [];
  const others: Movement[] = [];
  for (const line of lines) {
    const entry = same.get(amountsOf(line))?.shift();
    if (entry) pairs.push({ line, entry });
    else others.push(line);
    if (entry) left.delete(entry);
  }
  const rest = [...left];
  for (const line of others) {
    const entry = rest.shift();
    if (entry) pairs.push({ line, entry });
  }
  return pairs;
}

function amountsOf({ currency, amount, fee }: Movement): string {
  return `${currency} ${amount} ${fee}`;
}

function compare(key: string, line: Movement, entry: Movement): Break[] {
  if (line.currency !== entry.currency) return [broken('currency_mismatch', key, line, entry)];
  const breaks: Break[] = [];
  const off = line.amount - entry.amount;
  if (off !== 0n) {
    const rounds = off <= limits.roundingMinorMax && off >= -limits.roundingMinorMax;
    breaks.push(broken(rounds ? 'rounding' : 'amount_mismatch', key, line, entry));
  }
  if (line.fee !== entry.fee) {
    const fee = broken('fee_mismatch', key, line, entry);
    breaks.push(feeIsPlausible(line) ? fee : { ...fee, treatment: 'finance' });
  }
  return breaks;
}

/** A fee of at most a tenth of the amount is booked as the provider says it. */
function feeIsPlausible({ amount, fee }: Movement): boolean {
  const size = amount < 0n ? -amount : amount;
  return fee >= 0n && fee * 10_000n <= size * BigInt(limits.feeBasisPointsMax);
}

/**
 * A line about a refund that is pending with us waits, however long, until the refund has succeeded: then the line stands
 * opposite its entry. A pending refund without a line has moved nothing on either side.
 */
function pendingRefunds(
  key: string,
  outside: readonly Movement[],
  {
    alone,
    pending,
  }: { readonly alone: { outside: Movement[] }; readonly pending: readonly Movement[] },
  comparing: Comparing,
): Break[] {
  const [first] = pending;
  if (!first) return [];
  const line = alone.outside.find(({ status }) => status === 'refunded');
  if (!line) {
    const isTold = outside.some(({ status }) => status === 'refunded');
    return !isTold && waits(first, comparing) ? [broken('timing', key, undefined, first)] : [];
  }
  alone.outside.splice(alone.outside.indexOf(line), 1);
  const differing = compare(key, line, first);
  return differing.length > 0 ? differing : [broken('timing', key, line, first)];
}

function waits({ at, waited }: Movement, { until, timingMs }: Comparing): boolean {
  return waited < limits.waitsMax && (waited > 0 || at > until - timingMs);
}

function oneSided(
  key: string,
  alone: { outside: Movement[]; ledger: Movement[] },
  comparing: Comparing,
): Break[] {
  const breaks: Break[] = [];
  const lines = [...alone.outside];
  const entries = [...alone.ledger];
  while (lines.length > 0 && entries.length > 0) {
    breaks.push(broken('status_mismatch', key, lines.shift(), entries.shift()));
  }
  for (const line of lines) {
    breaks.push(
      broken(waits(line, comparing) ? 'timing' : 'missing_in_ledger', key, line, undefined),
    );
  }
  for (const entry of entries) {
    breaks.push(
      broken(waits(entry, comparing) ? 'timing' : 'missing_in_psp', key, undefined, entry),
    );
  }
  return breaks;
}

export function broken(
  of: BreakClass,
  key: string,
  outside: Movement | undefined,
  ledger: Movement | undefined,
): Break {
  return {
    class: of,
    treatment: breakClassTable[of].treatment,
    key,
    ...(outside ? { outside } : {}),
    ...(ledger ? { ledger } : {}),
  };
}
