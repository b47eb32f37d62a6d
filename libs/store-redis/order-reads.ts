import type { Cell, Row } from '@annals/projection';
import { type Borders, highOf, lowOf, scoreText } from './borders.ts';
import { CellWriter } from './cells.ts';
import type { Reply } from './connection.ts';
import { limits } from './limits.ts';
import type { Order } from './orders.ts';
import type { KeyList, ListWriter } from './piece-writer.ts';
import { partKinds } from './read-scripts.ts';
import { listOf, textOf } from './replies.ts';
import type { StampedReads } from './stamped-reads.ts';

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
  /** Rows before its value, and those with the same value too. */
  readonly value: CountedValue;
  /** Rows before it, one by one; 0 where no row around it was asked for. */
  readonly place: number;
  /** The rows just before and just behind, first to last. */
  readonly above: readonly OrderedRow[];
  readonly below: readonly OrderedRow[];
}

/** A row as its order sees it: where it stands, with those around it. */
export interface Standing extends Surroundings {
  readonly row: OrderedRow;
  /** All of its columns. */
  readonly stored: Row;
}

interface Entry {
  readonly score: number;
  readonly member: Buffer;
}

/** Where to look: an entry, or the row with this key, wherever it stands. */
type Place = { readonly entry: Entry } | { readonly key: readonly Cell[] };

interface Asked {
  readonly values?: readonly number[];
  readonly place?: Place & {
    readonly above: number;
    readonly below: number;
    readonly counted: boolean;
  };
  readonly range?: readonly [first: number, last: number];
  /** By what the places are cut; undefined where every shard has some of every score. */
  readonly borders?: Borders | undefined;
}

interface Answer {
  readonly total: number;
  readonly counts: readonly number[];
  readonly place: number;
  readonly above: readonly Entry[];
  readonly below: readonly Entry[];
  readonly range: readonly Entry[];
  /** The entry of the place; undefined where the row has none. */
  readonly entry: Entry | undefined;
  /** What is stored of the row, where it was asked for. */
  readonly value: Buffer | undefined;
}

/** Which set of which order. */
export interface GroupOfOrder {
  readonly table: string;
  readonly order: Order;
  /** Its place in the values of rows, from 0. */
  readonly number: number;
  /** Its key without the shard's tag. */
  readonly key: string;
  /** Whether its places are dealt to shards by their scores. */
  readonly isRanged: boolean;
}

/**
 * One group of an order over all shards: counts are sums of the shards' counts, and lists are merged.
 * Values are those of the order's column; "before" is as the order runs.
 */
export class OrderReads {
  readonly #reads: StampedReads;
  readonly #group: GroupOfOrder;
  readonly #order: Order;

  constructor(reads: StampedReads, group: GroupOfOrder) {
    this.#reads = reads;
    this.#group = group;
    this.#order = group.order;
  }

  /** Rows in the group, and those before and up to each value. */
  async counts(
    values: readonly number[],
  ): Promise<{ readonly total: number; readonly counts: readonly CountedValue[] }> {
    const ranked = values.map((value) => this.#order.ranked(value));
    let borders = this.#borders();
    if (borders instanceof Promise) borders = await borders;
    const answers = await this.#askCounts({ values: ranked, borders });
    return { total: totalOf(answers), counts: values.map((_, n) => countsAt(answers, n)) };
  }

  /** What is around a row's place. It need not be there itself. */
  async around(row: OrderedRow, above: number, below: number): Promise<Surroundings> {
    const entry = this.#entryOf(row);
    let borders = this.#borders();
    if (borders instanceof Promise) borders = await borders;
    // One more behind: the first of them is the row itself.
    const answers = await this.#askAll({
      place: { entry, above, below: below + 1, counted: true },
      borders,
    });
    return this.#surroundings(answers, entry, above, below);
  }

  /** The row with this key and what is around it; only how many there are where it has no place. */
  async standing(
    key: readonly Cell[],
    above: number,
    below: number,
  ): Promise<Standing | { readonly row: undefined; readonly total: number }> {
    const counted = above > 0 || below > 0;
    const answers = await this.#askByKey({ key, above, below: below + 1, counted });
    const entry = answers[0]?.entry;
    const value = answers.find((one) => one.value)?.value;
    if (!entry || !value) return { row: undefined, total: totalOf(answers) };
    const around = await this.#surroundings(answers, entry, above, below);
    const stored = this.#reads.shards.layout(this.#group.table).read(key, value);
    return { row: this.#rowOf(entry), stored, ...around };
  }

  /** One server looks the row up for all shards; in a cluster its own shard tells the others where it stands. */
  async #askByKey(
    place: NonNullable<Asked['place']> & { readonly key: readonly Cell[] },
  ): Promise<Answer[]> {
    const { connection } = this.#reads.shards;
    let borders = this.#borders();
    if (borders instanceof Promise) borders = await borders;
    if (!connection.isCluster) {
      return place.counted ? this.#askAll({ place, borders }) : this.#askCounts({ place, borders });
    }
    const { shard } = this.#reads.shards.place({ table: this.#group.table, key: place.key });
    const own = await this.#ask(shard, { place, borders });
    const { above, below, counted } = place;
    const asked = own.entry ? { place: { entry: own.entry, above, below, counted }, borders } : {};
    const others = this.#reads.shards.names.map((_, n) =>
      n === shard ? own : this.#ask(n, asked),
    );
    const [first, ...rest] = await Promise.all(others);
    return [{ ...(first as Answer), entry: own.entry }, ...rest];
  }

  async #surroundings(
    answers: readonly Answer[],
    entry: Entry,
    above: number,
    below: number,
  ): Promise<Surroundings> {
    let before = merged(answers.map((one) => one.above));
    let behind = merged(answers.map((one) => one.below));
    if (this.#group.isRanged && (above > 0 || below > 0)) {
      // Those beyond a border stand in the shards beside its own.
      const sizes = answers.map(({ total }) => total);
      const place = sum(answers.map((one) => one.place));
      const [first, last] = [Math.max(0, place - above), Math.min(sum(sizes), place + below + 1)];
      if (before.length < place - first) before = await this.#rows(sizes, first, place);
      if (behind.length < last - place) behind = await this.#rows(sizes, place, last);
    }
    const isThere = behind[0] !== undefined && compareEntries(behind[0], entry) === 0;
    return {
      total: totalOf(answers),
      value: countsAt(answers, 0),
      place: sum(answers.map(({ place }) => place)),
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
    if (this.#group.isRanged) return this.#pageByScore(offset, limit);
    const { names } = this.#reads.shards;
    const isNear = offset + limit <= limits.mergedRowsMax;
    if (names.length > 1 && !isNear) return this.#deepPage(offset, limit);
    const first = names.length > 1 ? 0 : offset;
    const answers = await this.#askAll({ range: [first, offset + limit - 1] });
    const entries = merged(answers.map(({ range }) => range));
    const page = entries.slice(offset - first, offset - first + limit);
    return { total: totalOf(answers), rows: page.map((one) => this.#rowOf(one)) };
  }

  /** How many each shard has says where the page lies, which is where it lay before as a rule. */
  async #pageByScore(offset: number, limit: number) {
    const { sizes: kept } = this.#reads.shards;
    const { key } = this.#group;
    const guessed = kept.get(key) ?? [];
    const asked = this.#reads.shards.names.map((_, n) =>
      overlap(guessed, n, offset, offset + limit),
    );
    // By which borders that was is not asked for, but they must not move between the answers.
    const borders = this.#borders();
    if (borders instanceof Promise) await borders;
    const answers = await Promise.all(
      asked.map((range, n) => this.#ask(n, range ? { range: [range[0], range[1] - 1] } : {})),
    );
    const sizes = answers.map(({ total }) => total);
    kept.delete(key);
    kept.set(key, sizes);
    if (kept.size > limits.keptSizesMax) kept.delete(kept.keys().next().value as string);
    const isRight = asked.every((range, n) => {
      const right = overlap(sizes, n, offset, offset + limit);
      return right?.[0] === range?.[0] && right?.[1] === range?.[1];
    });
    const entries = isRight
      ? answers.flatMap(({ range }) => range)
      : await this.#rows(sizes, offset, offset + limit);
    return { total: sum(sizes), rows: entries.map((one) => this.#rowOf(one)) };
  }

  /** Rows from the `first`th up to the one before `end`, where the shards have so many. */
  async #rows(sizes: readonly number[], first: number, end: number): Promise<Entry[]> {
    const ranges = await Promise.all(
      sizes.map(async (_, n) => {
        const range = overlap(sizes, n, first, end);
        return range ? (await this.#ask(n, { range: [range[0], range[1] - 1] })).range : [];
      }),
    );
    return ranges.flat();
  }

  /**
   * Where the group is cut; undefined where it is not dealt by score. What is known is no promise: waiting for
   * it would part what is asked from what leaves together.
   */
  #borders(): Borders | undefined | Promise<Borders> {
    return this.#group.isRanged ? this.#reads.bordersOf(this.#group.key) : undefined;
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
      const answers = await this.#askAll({
        place: { entry: pivot, above: 0, below: 0, counted: true },
      });
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
    return Promise.all(
      this.#reads.shards.names.map(async (names) => {
        const scores = await this.#reads.ask(
          names,
          (list, keys) => {
            list.end(list.begin(), 5);
            list.number(partKinds.scores);
            list.number(keys.numberOf(names.tag + this.#group.key));
            list.text(after);
            list.text(String(before));
            list.number(limits.scoresPageMax);
          },
          limits.readWeightMax,
        );
        return listOf(scores).map((score) => Number(textOf(score)));
      }),
    );
  }

  #askAll(asked: Asked): Promise<Answer[]> {
    return Promise.all(this.#reads.shards.names.map((_, shard) => this.#ask(shard, asked)));
  }

  /** The same where only counts are wanted, of which nobody asks how they are dealt. */
  #askCounts(asked: Asked): Promise<Answer[]> {
    const { isCluster } = this.#reads.shards.connection;
    return isCluster || this.#group.isRanged ? this.#askAll(asked) : this.#askSums(asked);
  }

  /** One answer for all shards of one server. */
  async #askSums(asked: Asked): Promise<Answer[]> {
    const reply = await this.#reads.askTogether((list, keys) => {
      list.end(list.begin(), 4);
      list.number(partKinds.sums);
      const { names } = this.#reads.shards;
      list.end(list.begin(), names.length);
      for (const { tag } of names) list.number(keys.numberOf(tag + this.#group.key));
      list.texts((asked.values ?? []).map(String));
      this.#writePlace(asked.place, true, list, keys);
    });
    return [answerOf(listOf(reply))];
  }

  async #ask(shard: number, asked: Asked): Promise<Answer> {
    const names = this.#reads.shards.names[shard];
    if (!names) throw new RangeError(`there is no shard ${shard}`);
    const reply = await this.#reads.ask(
      names,
      (list, keys) => {
        list.end(list.begin(), 11);
        list.number(partKinds.order);
        list.number(keys.numberOf(names.tag + this.#group.key));
        list.texts((asked.values ?? []).map(String));
        this.#writePlace(asked.place, shard, list, keys);
        list.number(asked.place?.above ?? 0);
        list.number(asked.place?.below ?? 0);
        list.text(asked.range ? String(asked.range[0]) : '');
        list.text(asked.range ? String(asked.range[1]) : '');
        list.number(asked.place?.counted ? 1 : 0);
        list.text(asked.borders ? scoreText(lowOf(asked.borders, shard)) : '');
        list.text(asked.borders ? scoreText(highOf(asked.borders, shard)) : '');
      },
      weightOf(asked),
    );
    return answerOf(listOf(reply));
  }

  /** `asked`: the shard that is asked; its own tells a row, too, and so does a server that has them all (`true`). */
  #writePlace(
    place: Place | undefined,
    asked: number | true,
    list: ListWriter,
    keys: KeyList,
  ): void {
    if (!place) list.end(list.begin(), 0);
    else if ('entry' in place) {
      list.end(list.begin(), 2);
      list.text(String(place.entry.score));
      list.bytes(place.entry.member);
    } else {
      const { shards } = this.#reads;
      const { shard, bucket, field } = shards.place({ table: this.#group.table, key: place.key });
      list.end(list.begin(), 4);
      list.number(keys.numberOf(`${shards.names[shard]?.tag}${bucket}`));
      list.text(field);
      list.number(this.#group.number + 1);
      list.number(asked === true || asked === shard ? 1 : 0);
    }
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

/** A search among ties takes as long as some dozen counts. */
const searchWeight = 24;

function weightOf({ values = [], place, range }: Asked): number {
  const rows = range ? range[1] - range[0] + 1 : 0;
  return (
    1 + values.length + Math.ceil(rows / limits.rowsInCount) + (place?.counted ? searchWeight : 0)
  );
}

/** Whoever asks the same at the same time is given the same reply: it is taken apart once. */
const answers = new WeakMap<readonly Reply[], Answer>();

function answerOf(reply: readonly Reply[]): Answer {
  const known = answers.get(reply);
  if (known) return known;
  const answer = readAnswer(reply);
  answers.set(reply, answer);
  return answer;
}

function readAnswer(reply: readonly Reply[]): Answer {
  const [total = 0, counts = [], place = 0, above = [], below = [], range = []] = reply;
  const [score, member, value] = reply.slice(6);
  return {
    total: Number(total),
    counts: listOf(counts).map(Number),
    place: Number(place),
    above: entriesOf(above),
    below: entriesOf(below),
    range: entriesOf(range),
    entry: member instanceof Buffer ? { score: Number(textOf(score ?? null)), member } : undefined,
    value: value instanceof Buffer ? value : undefined,
  };
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

/** Which rows of a shard are among those from `first` to `end` of all, where shards follow each other. */
function overlap(
  sizes: readonly number[],
  shard: number,
  first: number,
  end: number,
): readonly [first: number, end: number] | undefined {
  const before = sum(sizes.slice(0, shard));
  const from = Math.max(0, first - before);
  const to = Math.min(sizes[shard] ?? 0, end - before);
  return from < to ? [from, to] : undefined;
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
