import type { Cell } from '@annals/projection';
import { CellWriter } from './cells.ts';
import type { Reply } from './connection.ts';
import { limits } from './limits.ts';
import type { Order } from './orders.ts';
import { ListWriter } from './piece-writer.ts';
import { readOrderScript, readScoresScript } from './read-scripts.ts';
import type { StampedReads } from './reader.ts';
import { listOf, textOf } from './replies.ts';

/** A row as an order holds it: its score's column, and all columns of the member. */
export type OrderedRow = { readonly [column: string]: Cell };

export interface CountedValue {
  /** Rows before any with this value. */
  readonly before: number;
  /** Rows before those, and with it. */
  readonly through: number;
}

export interface Surroundings {
  readonly total: number;
  readonly value: CountedValue;
  /** The rows just before and just behind, first to last. */
  readonly above: readonly OrderedRow[];
  readonly below: readonly OrderedRow[];
}

interface Entry {
  readonly score: number;
  readonly member: Buffer;
}

interface Asked {
  readonly values?: readonly number[];
  readonly place?: { readonly entry: Entry; readonly above: number; readonly below: number };
  readonly range?: readonly [first: number, last: number];
}

interface Answer {
  readonly total: number;
  readonly counts: readonly number[];
  readonly place: number;
  readonly above: readonly Entry[];
  readonly below: readonly Entry[];
  readonly range: readonly Entry[];
}

/**
 * One group of an order over all shards: counts are sums of the shards' counts, and lists are merged.
 * Values are those of the order's column; "before" is as the order runs.
 */
export class OrderReads {
  readonly #reads: StampedReads;
  readonly #order: Order;
  readonly #key: string;

  constructor(reads: StampedReads, order: Order, key: string) {
    this.#reads = reads;
    this.#order = order;
    this.#key = key;
  }

  /** Rows in the group, and those before and up to each value. */
  async counts(
    values: readonly number[],
  ): Promise<{ readonly total: number; readonly counts: readonly CountedValue[] }> {
    const answers = await this.#askAll({
      values: values.map((value) => this.#order.ranked(value)),
    });
    return { total: totalOf(answers), counts: values.map((_, n) => countsAt(answers, n)) };
  }

  /** A row with those around it. It need not be there itself. */
  async around(row: OrderedRow, above: number, below: number): Promise<Surroundings> {
    const entry = this.#entryOf(row);
    // One more behind: the first of them is the row itself.
    const place = { entry, above, below: below + 1 };
    const answers = await this.#askAll({ values: [entry.score], place });
    const before = merged(answers.map((one) => one.above));
    const behind = merged(answers.map((one) => one.below));
    const isThere = behind[0] !== undefined && compareEntries(behind[0], entry) === 0;
    return {
      total: totalOf(answers),
      value: countsAt(answers, 0),
      above: before.slice(Math.max(0, before.length - above)).map((one) => this.#rowOf(one)),
      below: behind
        .slice(isThere ? 1 : 0)
        .slice(0, below)
        .map((one) => this.#rowOf(one)),
    };
  }

  /** Rows from the `offset`th on (0 is the first), and how many there are. */
  async page(
    offset: number,
    limit: number,
  ): Promise<{ readonly total: number; readonly rows: readonly OrderedRow[] }> {
    const { names } = this.#reads.shards;
    const isNear = offset + limit <= limits.mergedRowsMax;
    if (names.length > 1 && !isNear) return this.#deepPage(offset, limit);
    const first = names.length > 1 ? 0 : offset;
    const answers = await this.#askAll({ range: [first, offset + limit - 1] });
    const entries = merged(answers.map(({ range }) => range));
    const page = entries.slice(offset - first, offset - first + limit);
    return { total: totalOf(answers), rows: page.map((one) => this.#rowOf(one)) };
  }

  /**
   * Finds the place by halving: an entry in the middle of the widest window, and how many are before it in
   * every shard, leave out half of that window. A few dozen round trips, however deep the page lies.
   */
  async #deepPage(offset: number, limit: number) {
    const sizes = (await this.#askAll({})).map(({ total }) => total);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    if (offset >= total) return { total, rows: [] };
    let low = sizes.map(() => 0);
    let high = sizes;
    for (let step = 0; sum(high) - sum(low) > limits.mergedRowsMax; step += 1) {
      if (step === limits.halvingsMax) throw new RangeError('a page is not found');
      const widths = high.map((end, n) => end - (low[n] as number));
      const widest = widths.indexOf(Math.max(...widths));
      const middle = (low[widest] as number) + Math.floor((widths[widest] as number) / 2);
      const pivot = (await this.#ask(widest, { range: [middle, middle] })).range[0];
      if (!pivot) break;
      const answers = await this.#askAll({ place: { entry: pivot, above: 0, below: 0 } });
      const places = answers.map(({ place }, n) =>
        Math.min(Math.max(place, low[n] as number), high[n] as number),
      );
      if (sum(places) <= offset) low = places;
      else high = places;
    }
    const skipped = offset - sum(low);
    const ranges = await Promise.all(
      low.map((first, n) => this.#ask(n, { range: [first, first + skipped + limit - 1] })),
    );
    const entries = merged(ranges.map(({ range }) => range));
    const rows = entries.slice(skipped, skipped + limit).map((one) => this.#rowOf(one));
    return { total, rows };
  }

  /**
   * How many different values are before each of these. Takes time with their number: each shard jumps
   * from value to value, and the shards' lists are merged page by page.
   */
  async distinctBefore(values: readonly number[]): Promise<readonly number[]> {
    const wanted = values.map((value) => this.#order.ranked(value));
    const sorted = [...new Set(wanted)].sort((a, b) => a - b);
    const found = new Map<number, number>();
    const last = sorted.at(-1);
    let passed = 0;
    for (let after = '-inf', done = last === undefined; !done; ) {
      const pages = await this.#scorePages(after, last as number);
      const full = pages.filter((page) => page.length === limits.scoresPageMax);
      // Beyond the end of the shortest full page, other shards may have values that were not seen.
      const horizon = Math.min(...full.map((page) => page.at(-1) as number), last as number);
      const seen = new Set(pages.flat().filter((score) => score <= horizon));
      for (const one of sorted) {
        if (found.has(one) || one > horizon) continue;
        found.set(one, passed + [...seen].filter((score) => score < one).length);
      }
      passed += seen.size;
      after = String(horizon);
      done = full.length === 0;
    }
    return wanted.map((one) => found.get(one) as number);
  }

  async #scorePages(after: string, before: number): Promise<number[][]> {
    const list = new ListWriter();
    list.end(list.begin(), 3);
    list.text(after);
    list.text(String(before));
    list.number(limits.scoresPageMax);
    const asked = list.cells.take();
    return Promise.all(
      this.#reads.shards.names.map(async (names) => {
        const key = names.tag + this.#key;
        const scores = await this.#reads.ask(names, readScoresScript, [key], asked);
        return scores.map((score) => Number(textOf(score)));
      }),
    );
  }

  #askAll(asked: Asked): Promise<Answer[]> {
    return Promise.all(this.#reads.shards.names.map((_, shard) => this.#ask(shard, asked)));
  }

  async #ask(shard: number, asked: Asked): Promise<Answer> {
    const names = this.#reads.shards.names[shard];
    if (!names) throw new RangeError(`there is no shard ${shard}`);
    const key = names.tag + this.#key;
    const answer = await this.#reads.ask(names, readOrderScript, [key], askedList(asked));
    const [total = 0, counts = [], place = 0, above = [], below = [], range = []] = answer;
    return {
      total: Number(total),
      counts: listOf(counts).map(Number),
      place: Number(place),
      above: entriesOf(above),
      below: entriesOf(below),
      range: entriesOf(range),
    };
  }

  #entryOf(row: OrderedRow): Entry {
    const score = this.#order.scoreOf(row);
    if (score === undefined) throw new TypeError('a row without a score has no place');
    const writer = new CellWriter();
    this.#order.writeMember(row, writer);
    return { score, member: writer.take() };
  }

  #rowOf({ score, member }: Entry): OrderedRow {
    const row: { [column: string]: Cell } = {};
    this.#order.read(score, member, row);
    return row;
  }
}

function askedList({ values = [], place, range }: Asked): Buffer {
  const list = new ListWriter();
  list.end(list.begin(), 7);
  list.end(list.begin(), values.length);
  for (const value of values) list.text(String(value));
  list.text(place ? String(place.entry.score) : '');
  list.bytes(place?.entry.member ?? Buffer.alloc(0));
  list.number(place?.above ?? 0);
  list.number(place?.below ?? 0);
  list.text(range ? String(range[0]) : '');
  list.text(range ? String(range[1]) : '');
  return list.cells.take();
}

function entriesOf(reply: Reply): Entry[] {
  const list = listOf(reply);
  const entries: Entry[] = [];
  for (let n = 0; n + 1 < list.length; n += 2) {
    entries.push({ member: list[n] as Buffer, score: Number(textOf(list[n + 1] as Reply)) });
  }
  return entries;
}

function compareEntries(a: Entry, b: Entry): number {
  return a.score - b.score || Buffer.compare(a.member, b.member);
}

/** Lists that are each in order, as one. They are short: sorting them is quicker than anything clever. */
function merged(lists: readonly (readonly Entry[])[]): Entry[] {
  return lists.length === 1 ? [...(lists[0] as Entry[])] : lists.flat().sort(compareEntries);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

function totalOf(answers: readonly Answer[]): number {
  return sum(answers.map(({ total }) => total));
}

function countsAt(answers: readonly Answer[], n: number): CountedValue {
  return {
    before: sum(answers.map(({ counts }) => counts[2 * n] as number)),
    through: sum(answers.map(({ counts }) => counts[2 * n + 1] as number)),
  };
}
