import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { pageLimit } from '@annals/event-log/page-limit';
import {
  type Checkpoint,
  type Direction,
  EventLogError,
  type EventMark,
  type Filter,
  type Revision,
  type StoredEvent,
  type StreamPage,
} from '@annals/event-log/port';
import type { Wanted, WantedPage } from '@annals/event-log/subscription';
import {
  type EventRow,
  encodePosition,
  eventColumns,
  type Kind,
  storedEvent,
  dataUnits as unitsOf,
} from './event-rows.ts';
import {
  decodeCheckpointPosition,
  type KindChoice,
  letsThrough,
  type Range,
  startOf,
  windowOf,
} from './page-range.ts';
import { type RecentEvent, RecentEvents } from './recent-events.ts';
import { toEventLogError } from './sqlite-errors.ts';
import { sqliteLimits } from './sqlite-limits.ts';

export interface LogReaderOptions {
  /** Which partition the file holds. */
  readonly partition: number;
  /** How far apart the positions of two neighbours usually are: 1 where they are dense. */
  readonly positionStride: number;
}

/**
 * Reads on one connection, in the calling thread. No transaction is needed for a page to be of one
 * moment: the head is read first, and events at or below it never change.
 */
export class LogReader {
  readonly partition: number;
  /** How many positions one call may look at when it counts. */
  readonly countedPositionsMax: number;
  readonly #scannedPositionsMax: number;
  readonly #scannedShortMax: number;
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();
  readonly #streams = new Map<number, string>();
  readonly #kinds = new Map<number, Kind>();
  #lastKind = 0;
  /** The last kind that there was when the head was read. */
  #knownKind = 0;
  readonly #recent = new RecentEvents((range, kinds) => this.#scan(range, kinds));

  constructor(db: DatabaseSync, path: string, { partition, positionStride }: LogReaderOptions) {
    this.#db = db;
    this.#path = path;
    this.partition = partition;
    this.countedPositionsMax = sqliteLimits.countedPositionsMax * positionStride;
    this.#scannedPositionsMax = sqliteLimits.scannedPositionsMax * positionStride;
    this.#scannedShortMax = sqliteLimits.scannedShortMax * positionStride;
  }

  /** The position of the last event, 0 when there is none. */
  head(): number {
    return this.#guarded(() => this.#head());
  }

  readStream(
    stream: string,
    options: { readonly from?: Revision; readonly direction?: Direction; readonly limit?: number },
  ): StreamPage {
    const limit = pageLimit(options.limit);
    return this.#guarded(() => {
      // SQLite would replace half a character, and then find the stream of another name.
      const [id, head] = (stream.isWellFormed() && this.#stream(stream)) || [];
      if (id === undefined || typeof head !== 'number') return { events: [], head: 'no-stream' };
      const backward = options.direction === 'backward';
      const [first, last] = backward
        ? [0, Math.min(head, options.from ?? head)]
        : [options.from ?? 0, head];
      if (first > last) return { events: [], head };
      const rows = this.#rows<EventRow>(
        `SELECT ${eventColumns} FROM events WHERE stream_id = ? AND revision >= ? AND revision <= ?
         ORDER BY revision ${backward ? 'DESC' : 'ASC'} LIMIT ? + 0`,
        id,
        first,
        last,
        limit,
      );
      return { events: rows.map((row) => this.#event(row)), head };
    });
  }

  page(
    from: Checkpoint | 'start' | 'end',
    filter: Filter,
    options: { readonly direction?: Direction; readonly limit?: number },
  ): WantedPage {
    const limit = pageLimit(options.limit);
    return this.#guarded(() => {
      const head = this.#head();
      if (!(filter.partitions?.includes(this.partition) ?? true)) {
        return { events: [], checkpoint: startOf(from, this.partition, head), end: true };
      }
      return options.direction === 'backward'
        ? this.#pageBackward(from, filter, limit, head)
        : this.#pageForward(startOf(from, this.partition, head), filter, limit, head);
    });
  }

  /** Kinds `filter` lets through. */
  kindsOf(filter: Filter): readonly Kind[] {
    return this.#guarded(() => {
      if (!(filter.partitions?.includes(this.partition) ?? true)) return [];
      this.#loadNewKinds();
      return [...this.#kinds.values()].filter((kind) => letsThrough(filter, kind));
    });
  }

  /** Events of one kind with `after` < position <= `last`: counted in the index alone. */
  countOf(kind: Kind, after: number, last: number): number {
    return this.#guarded(() => {
      const sql =
        'SELECT count(*) FROM events WHERE kind_id = ? AND position > ? AND position <= ?';
      return this.#row<[number]>(sql, kind.id, after, last)?.[0] ?? 0;
    });
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  #pageForward(from: Checkpoint, filter: Wanted, limit: number, head: number): WantedPage {
    const after = decodeCheckpointPosition(from, this.partition);
    const choice = this.#choose(filter);
    const unlessPassed = this.#unlessPassed(filter);
    if (
      unlessPassed === '' &&
      choice !== 'all' &&
      after < head &&
      head - after <= this.#scannedShortMax
    ) {
      const recent = this.#recent.range(after, head, choice);
      if (recent) return this.#pageOfRecent(from, head, recent, limit);
    }
    const { rows, exhausted, scanned } = this.#fetch(
      { after, last: head, descending: false, unlessPassed },
      choice,
      limit,
    );
    const reached = exhausted ? Math.max(after, head) : scanned;
    const page = {
      events: rows.map((row) => this.#event(row)),
      checkpoint: reached === 0 ? from : { ...from, [this.partition]: encodePosition(reached) },
      end: reached >= head,
    };
    if (unlessPassed === '') return page;
    const passed = this.#lastIn(rows.at(-1)?.[0] ?? after, reached, choice);
    return passed ? { ...page, passed: [passed] } : page;
  }

  /** The last event of these kinds in a range, of which every one was passed over. */
  #lastIn(after: number, last: number, choice: KindChoice): EventMark | undefined {
    if (after >= last || choice.length === 0) return undefined;
    const kinds = choice === 'all' ? '' : `AND kind_id IN (${choice.join(', ')})`;
    const sql = `SELECT ${eventColumns} FROM events NOT INDEXED
      WHERE position > ? AND position <= ? ${kinds} ORDER BY position DESC LIMIT 1`;
    const row = this.#row<EventRow>(sql, after, last);
    if (!row) return undefined;
    const { partition, position, id, recordedAt } = this.#event(row);
    return { partition, position, id, recordedAt };
  }

  /** Kinds that are to be passed over are told by id and version, the first columns of a row: its data is not touched. */
  #unlessPassed({ passOver }: Wanted): string {
    if (!passOver) return '';
    if (this.#knownKind > this.#lastKind) this.#loadNewKinds();
    const byVersion = new Map<number, number[]>();
    for (const { id, type } of this.#kinds.values()) {
      const version = passOver[type] ?? 0;
      if (version < 1) continue;
      byVersion.set(version, [...(byVersion.get(version) ?? []), id]);
    }
    return [...byVersion]
      .map(
        ([version, ids]) =>
          `AND NOT (kind_id IN (${ids.join(', ')}) AND schema_version <= ${version})`,
      )
      .join(' ');
  }

  /** A page at the end of the log, out of what is read once for all who ask. */
  #pageOfRecent(
    from: Checkpoint,
    head: number,
    recent: readonly RecentEvent[],
    limit: number,
  ): WantedPage {
    const taken = recent.slice(0, limit);
    const cut = taken.length < recent.length ? taken.at(-1)?.position : undefined;
    const checkpoint = { ...from, [this.partition]: encodePosition(cut ?? head) };
    return { events: taken.map(({ event }) => event), checkpoint, end: cut === undefined };
  }

  #scan(
    { after, last }: { readonly after: number; readonly last: number },
    kinds: readonly number[],
  ): readonly RecentEvent[] | undefined {
    const sql = `SELECT ${eventColumns} FROM events NOT INDEXED WHERE position > ? AND position <= ?
      AND kind_id IN (SELECT value FROM json_each(?)) ORDER BY 1`;
    const found: RecentEvent[] = [];
    let left: number = sqliteLimits.recentDataUnitsMax;
    for (const one of this.#statement(sql).iterate(after, last, JSON.stringify(kinds))) {
      const row = one as unknown as EventRow;
      left -= unitsOf(row[9]);
      if (left < 0) return undefined;
      found.push({ position: row[0], kind: row[3], event: this.#event(row) });
    }
    return found;
  }

  #pageBackward(
    from: Checkpoint | 'start' | 'end',
    filter: Filter,
    limit: number,
    head: number,
  ): WantedPage {
    const before =
      from === 'end'
        ? head + 1
        : from === 'start'
          ? 0
          : decodeCheckpointPosition(from, this.partition);
    const { rows, exhausted, scanned } = this.#fetch(
      { after: 0, last: Math.min(head, before - 1), descending: true, unlessPassed: '' },
      this.#choose(filter),
      limit,
    );
    return {
      events: rows.map((row) => this.#event(row)),
      checkpoint: exhausted ? {} : { [this.partition]: encodePosition(scanned) },
      end: exhausted,
    };
  }

  /** Up to `limit` rows of a range of positions; `scanned` is the last position looked at. */
  #fetch(
    range: Range,
    choice: KindChoice,
    limit: number,
  ): { rows: EventRow[]; exhausted: boolean; scanned: number } {
    const rows: EventRow[] = [];
    let { after, last } = range;
    let dataUnits = 0;
    const scanned = () => (range.descending ? last + 1 : after);
    while (rows.length < limit && dataUnits < sqliteLimits.pageDataUnitsMax) {
      if (after >= last || choice.length === 0)
        return { rows, exhausted: true, scanned: scanned() };
      const count = Math.min(limit - rows.length, sqliteLimits.fetchRowsMax);
      const window = windowOf({ ...range, after, last }, choice, this.#scannedPositionsMax);
      const fetched = this.#query({ ...range, ...window }, choice, count);
      for (const row of fetched) {
        rows.push(row);
        dataUnits += unitsOf(row[9]);
      }
      const lastRow = fetched.at(-1);
      const reached = fetched.length === count && lastRow ? lastRow[0] : undefined;
      if (range.descending) last = (reached ?? window.after + 1) - 1;
      else after = reached ?? window.last;
      // A scan that found nothing more in its window has done enough work for one call.
      if (reached === undefined && (after < last || window.cut)) break;
    }
    return { rows, exhausted: after >= last, scanned: scanned() };
  }

  #query(
    { after, last, descending, unlessPassed }: Range,
    choice: KindChoice,
    count: number,
  ): EventRow[] {
    const order = `ORDER BY 1 ${descending ? 'DESC' : 'ASC'} LIMIT ? + 0`;
    const inRange = `SELECT ${eventColumns} FROM events NOT INDEXED
      WHERE position > ? AND position <= ? ${unlessPassed}`;
    if (choice === 'all') return this.#rows(`${inRange} ${order}`, after, last, count);
    if (unlessPassed !== '' || choice.length > sqliteLimits.mergedKindsMax) {
      const sql = `${inRange} AND kind_id IN (SELECT value FROM json_each(?)) ${order}`;
      return this.#rows(sql, after, last, JSON.stringify(choice), count);
    }
    // SQLite merges the branches of a UNION ALL lazily: each seeks in the index, none runs ahead.
    const branches = 2 ** Math.ceil(Math.log2(choice.length));
    const branch = `SELECT ${eventColumns} FROM events INDEXED BY events_by_kind
      WHERE kind_id = ? AND position > ? AND position <= ?`;
    const parameters: number[] = [];
    // Branches without a kind fill up to a power of two, so that few statements serve all filters.
    for (let index = 0; index < branches; index += 1) {
      parameters.push(choice[index] ?? -1, after, last);
    }
    const sql = `${Array(branches).fill(branch).join(' UNION ALL ')} ${order}`;
    return this.#rows(sql, ...parameters, count);
  }

  #choose(filter: Filter): KindChoice {
    if (!filter.categories && !filter.types) return 'all';
    if (this.#knownKind > this.#lastKind) this.#loadNewKinds();
    const chosen: number[] = [];
    for (const kind of this.#kinds.values()) if (letsThrough(filter, kind)) chosen.push(kind.id);
    return chosen.length === this.#kinds.size ? 'all' : chosen;
  }

  /** Kinds are only ever added. Called after the head was read, it knows the kind of every event up to there. */
  #loadNewKinds(): void {
    const sql = 'SELECT id, category, type FROM kinds WHERE id > ? ORDER BY id';
    for (const [id, category, type] of this.#rows<[number, string, string]>(sql, this.#lastKind)) {
      this.#kinds.set(id, { id, category, type });
      this.#lastKind = id;
    }
  }

  #head(): number {
    const sql = 'SELECT (SELECT max(position) FROM events), (SELECT max(id) FROM kinds)';
    const [position, kind] = this.#row<[number | null, number | null]>(sql) ?? [];
    this.#knownKind = kind ?? 0;
    return position ?? 0;
  }

  /** Its id, and the revision of its last event. */
  #stream(name: string): [id: number, head: Revision | null] | undefined {
    const sql = `SELECT id, (SELECT max(revision) FROM events WHERE stream_id = streams.id)
      FROM streams WHERE name = ?`;
    return this.#row<[number, number | null]>(sql, name);
  }

  #event(row: EventRow): StoredEvent {
    return storedEvent(row, this.#streamName(row[1]), this.#kind(row[3]), this.partition);
  }

  #streamName(id: number): string {
    const cached = this.#streams.get(id);
    if (cached !== undefined) return cached;
    const name = this.#row<[string]>('SELECT name FROM streams WHERE id = ?', id)?.[0];
    if (name === undefined) throw this.#dangling(`stream ${id}`);
    if (this.#streams.size >= sqliteLimits.cachedStreamsMax) this.#streams.clear();
    this.#streams.set(id, name);
    return name;
  }

  #kind(id: number): Kind {
    if (!this.#kinds.has(id)) this.#loadNewKinds();
    const kind = this.#kinds.get(id);
    if (!kind) throw this.#dangling(`kind ${id}`);
    return kind;
  }

  #dangling(what: string): EventLogError {
    return new EventLogError(
      'corrupt',
      `${this.#path} is damaged: an event names ${what}, which is not there`,
    );
  }

  #rows<Row>(sql: string, ...parameters: (number | string)[]): Row[] {
    return this.#statement(sql).all(...parameters) as unknown as Row[];
  }

  #row<Row>(sql: string, ...parameters: (number | string)[]): Row | undefined {
    return this.#statement(sql).get(...parameters) as unknown as Row | undefined;
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      statement.setReturnArrays(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guarded<Result>(read: () => Result): Result {
    try {
      return read();
    } catch (error) {
      throw toEventLogError(error, this.#path);
    }
  }
}
