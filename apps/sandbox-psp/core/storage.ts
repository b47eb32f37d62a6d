import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { Kind, Objects } from './objects.ts';

const schemaVersion = 1;

const schema = `
CREATE TABLE objects (
  kind TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, created INTEGER NOT NULL,
  parent TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX objects_by_seq ON objects (kind, seq);
CREATE INDEX objects_by_parent ON objects (kind, parent, seq);
CREATE INDEX objects_by_created ON objects (kind, created, seq);
CREATE TABLE searchable (
  kind TEXT NOT NULL, term TEXT NOT NULL, id TEXT NOT NULL, visible_at INTEGER NOT NULL,
  PRIMARY KEY (kind, term, id)
) WITHOUT ROWID;
CREATE TABLE balances (currency TEXT PRIMARY KEY, amount INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE answers (
  key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
  request_id TEXT NOT NULL, answered_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX answers_by_time ON answers (answered_at);
CREATE TABLE jobs (seq INTEGER PRIMARY KEY, due_at INTEGER NOT NULL, data TEXT NOT NULL);
CREATE INDEX jobs_by_time ON jobs (due_at, seq);
CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE faults (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
`;

export interface PageQuery {
  readonly parent?: string;
  /** Of events. */
  readonly types?: readonly string[];
  readonly createdFrom?: number;
  readonly createdTo?: number;
  /** Ids of the last and of the first object of another page. */
  readonly startingAfter?: string;
  readonly endingBefore?: string;
  readonly limit: number;
}

export interface KeptAnswer {
  readonly fingerprint: string;
  readonly status: number;
  readonly body: string;
  readonly requestId: string;
}

/**
 * The sandbox's books on disk: one SQLite file, synced at every commit (`:memory:` for simulations). All of it
 * is synchronous, so that one request or job is one transaction and nothing comes between.
 */
export class Storage {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #seq: number;

  /** Opens or makes the file. Throws when it is none of the sandbox's, or of a newer version. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    // One process alone: the numbers that order the rows are counted in memory.
    this.#database.exec(
      'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;',
    );
    const [row] = this.#all('PRAGMA user_version') as { readonly user_version: number }[];
    const version = row?.user_version ?? 0;
    if (version > schemaVersion) throw new Error(`${path} was written by a newer sandbox`);
    if (version === 0) {
      this.transaction(() =>
        this.#database.exec(`${schema} PRAGMA user_version = ${schemaVersion};`),
      );
    }
    this.#seq = this.#lastSeq();
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  /** All of `work` is stored, or none of it. Not to be nested. */
  transaction<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  get<K extends Kind>(kind: K, id: string): Objects[K] | undefined {
    const [row] = this.#all('SELECT data FROM objects WHERE kind = ? AND id = ?', kind, id);
    return row && (JSON.parse(row.data as string) as Objects[K]);
  }

  insert<K extends Kind>(kind: K, object: Objects[K], parent = ''): void {
    this.#run(
      'INSERT INTO objects (kind, id, seq, created, parent, data) VALUES (?, ?, ?, ?, ?, ?)',
      ...[kind, object.id, this.#nextSeq(), object.created, parent, JSON.stringify(object)],
    );
  }

  update<K extends Kind>(kind: K, object: Objects[K]): void {
    const { changes } = this.#run(
      'UPDATE objects SET data = ? WHERE kind = ? AND id = ?',
      ...[JSON.stringify(object), kind, object.id],
    );
    if (changes !== 1) throw new Error(`there is no ${kind} ${object.id}`);
  }

  remove(kind: Kind, id: string): boolean {
    return this.#run('DELETE FROM objects WHERE kind = ? AND id = ?', kind, id).changes === 1;
  }

  /** Newest first. */
  page<K extends Kind>(kind: K, query: PageQuery): Objects[K][] {
    const { parent, types, createdFrom, createdTo, startingAfter, endingBefore, limit } = query;
    const where = ['kind = ?'];
    const values: SQLInputValue[] = [kind];
    const and = (text: string, value: SQLInputValue | undefined) => {
      if (value === undefined) return;
      where.push(text);
      values.push(value);
    };
    and('parent = ?', parent);
    const named = types && JSON.stringify(types);
    and("json_extract(data, '$.type') IN (SELECT value FROM json_each(?))", named);
    and('created >= ?', createdFrom);
    and('created < ?', createdTo);
    and('seq < ?', startingAfter === undefined ? undefined : this.#seqOf(kind, startingAfter));
    and('seq > ?', endingBefore === undefined ? undefined : this.#seqOf(kind, endingBefore));
    const order = endingBefore === undefined ? 'DESC' : 'ASC';
    const text = `SELECT data FROM objects WHERE ${where.join(' AND ')} ORDER BY seq ${order} LIMIT ? + 0`;
    const rows = this.#all(text, ...values, limit);
    if (endingBefore !== undefined) rows.reverse();
    return rows.map(({ data }) => JSON.parse(data as string) as Objects[K]);
  }

  /** Oldest first, a row at a time: for files of any length. */
  *oldestFirst<K extends Kind>(kind: K, from: number, to: number): Generator<Objects[K]> {
    // A statement of its own: others may read while this one is under way.
    const text =
      'SELECT data FROM objects WHERE kind = ? AND created >= ? AND created < ? ORDER BY created, seq';
    for (const row of this.#database.prepare(text).iterate(kind, from, to)) {
      yield JSON.parse(row.data as string) as Objects[K];
    }
  }

  addSearchable(kind: Kind, term: string, id: string, visibleAt: number): void {
    this.#run(
      'INSERT OR IGNORE INTO searchable (kind, term, id, visible_at) VALUES (?, ?, ?, ?)',
      ...[kind, term, id, visibleAt],
    );
  }

  search(kind: Kind, term: string, now: number, limit: number): string[] {
    const text =
      'SELECT id FROM searchable WHERE kind = ? AND term = ? AND visible_at <= ? ORDER BY id LIMIT ? + 0';
    return this.#all(text, kind, term, now, limit).map(({ id }) => id as string);
  }

  balances(): ReadonlyMap<string, number> {
    const rows = this.#all('SELECT currency, amount FROM balances ORDER BY currency');
    return new Map(rows.map(({ currency, amount }) => [currency as string, amount as number]));
  }

  balance(currency: string): number {
    const [row] = this.#all('SELECT amount FROM balances WHERE currency = ?', currency);
    return (row?.amount as number | undefined) ?? 0;
  }

  moveBalance(currency: string, by: number): void {
    this.#run(
      `INSERT INTO balances (currency, amount) VALUES (?, ?)
       ON CONFLICT (currency) DO UPDATE SET amount = amount + excluded.amount`,
      ...[currency, by],
    );
  }

  /** What was kept after `since`. */
  keptAnswer(key: string, since: number): KeptAnswer | undefined {
    const text = 'SELECT * FROM answers WHERE key = ? AND answered_at > ?';
    const [row] = this.#all(text, key, since);
    return (
      row && {
        fingerprint: row.fingerprint as string,
        status: row.status as number,
        body: row.body as string,
        requestId: row.request_id as string,
      }
    );
  }

  keepAnswer(key: string, { fingerprint, status, body, requestId }: KeptAnswer, at: number): void {
    this.#run(
      'INSERT INTO answers (key, fingerprint, status, body, request_id, answered_at) VALUES (?, ?, ?, ?, ?, ?)',
      ...[key, fingerprint, status, body, requestId, at],
    );
  }

  forgetAnswers(before: number): void {
    this.#run('DELETE FROM answers WHERE answered_at <= ?', before);
  }

  addJob(dueAt: number, data: object): void {
    const values = [this.#nextSeq(), dueAt, JSON.stringify(data)];
    this.#run('INSERT INTO jobs (seq, due_at, data) VALUES (?, ?, ?)', ...values);
  }

  dueJobs(now: number, limit: number): { readonly seq: number; readonly data: string }[] {
    const text = 'SELECT seq, data FROM jobs WHERE due_at <= ? ORDER BY due_at, seq LIMIT ? + 0';
    return this.#all(text, now, limit).map(({ seq, data }) => ({
      seq: seq as number,
      data: data as string,
    }));
  }

  moveJob(seq: number, dueAt: number, data: object): void {
    const values = [dueAt, JSON.stringify(data), seq];
    this.#run('UPDATE jobs SET due_at = ?, data = ? WHERE seq = ?', ...values);
  }

  removeJob(seq: number): void {
    this.#run('DELETE FROM jobs WHERE seq = ?', seq);
  }

  nextDueAt(): number | undefined {
    const [row] = this.#all('SELECT MIN(due_at) AS due FROM jobs');
    return (row?.due as number | null) ?? undefined;
  }

  faults(): { readonly id: string; readonly data: string }[] {
    return this.#all('SELECT id, data FROM faults ORDER BY seq').map(({ id, data }) => ({
      id: id as string,
      data: data as string,
    }));
  }

  putFault(id: string, data: object): void {
    this.#run(
      `INSERT INTO faults (id, seq, data) VALUES (?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET data = excluded.data`,
      ...[id, this.#nextSeq(), JSON.stringify(data)],
    );
  }

  removeFault(id: string): boolean {
    return this.#run('DELETE FROM faults WHERE id = ?', id).changes === 1;
  }

  /** Zero before it was set. */
  setting(name: string): number {
    const [row] = this.#all('SELECT value FROM settings WHERE name = ?', name);
    return (row?.value as number | undefined) ?? 0;
  }

  setSetting(name: string, value: number): void {
    this.#run('INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)', name, value);
  }

  #seqOf(kind: Kind, id: string): number {
    const [row] = this.#all('SELECT seq FROM objects WHERE kind = ? AND id = ?', kind, id);
    return (row?.seq as number | undefined) ?? 0;
  }

  #nextSeq(): number {
    this.#seq += 1;
    return this.#seq;
  }

  #lastSeq(): number {
    const text = `SELECT MAX(seq) AS last FROM (SELECT MAX(seq) AS seq FROM objects
      UNION ALL SELECT MAX(seq) FROM jobs UNION ALL SELECT MAX(seq) FROM faults)`;
    return (this.#all(text)[0]?.last as number | null | undefined) ?? 0;
  }

  #prepared(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known) return known;
    const statement = this.#database.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }

  #all(text: string, ...values: SQLInputValue[]) {
    return this.#prepared(text).all(...values);
  }

  #run(text: string, ...values: SQLInputValue[]) {
    return this.#prepared(text).run(...values);
  }
}
