import { placeOf } from '../cells.ts';
import type { CassandraConnection, DriverRow } from '../connection.ts';
import { storeError } from '../errors.ts';
import { mapBounded } from '../in-flight.ts';
import { limits } from '../limits.ts';
import type { SchemaPart } from '../schema.ts';

export const keySchema: SchemaPart = {
  name: 'subject-keys',
  steps: [
    {
      tables: [
        // Changed by compare-and-set only. A key of no bytes is a tombstone: nothing is ever deleted.
        `annals_subject_keys (
         store text, bucket int, subject text, wrapped blob, PRIMARY KEY ((store, bucket), subject))`,
        'annals_subject_key_stores (store text, master_check blob, erasures bigint, PRIMARY KEY ((store)))',
      ],
    },
  ],
};

/** Partitions of the keys of one store. Never changed: keys would not be found again. */
const buckets = 256;

/** A key as it is stored: wrapped, or `erased`. */
export type Wrapped = Uint8Array | 'erased';

/** The keys of one store, wrapped. Everything that changes is a compare-and-set, so whoever comes first wins. */
export class KeyTable {
  readonly #connection: CassandraConnection;
  readonly #store: string;
  readonly #keys: string;
  readonly #stores: string;

  constructor(connection: CassandraConnection, store: string) {
    this.#connection = connection;
    this.#store = store;
    this.#keys = `${connection.keyspace}.annals_subject_keys`;
    this.#stores = `${connection.keyspace}.annals_subject_key_stores`;
  }

  /** The check value of the master key the store was made with; this one's where there was none yet. */
  async masterCheck(own: Uint8Array): Promise<Uint8Array> {
    await this.#connection.compareAndSet(
      `INSERT INTO ${this.#stores} (store, master_check, erasures) VALUES (?, ?, 0) IF NOT EXISTS`,
      [this.#store, Buffer.from(own)],
    );
    const [row] = await this.#connection.serialRead(
      `SELECT master_check FROM ${this.#stores} WHERE store = ?`,
      [this.#store],
    );
    return row?.master_check as Uint8Array;
  }

  async erasures(): Promise<bigint> {
    const [row] = await this.#connection.execute(
      `SELECT erasures FROM ${this.#stores} WHERE store = ?`,
      [this.#store],
    );
    if (typeof row?.erasures !== 'bigint') throw storeError('io', `${this.#store} was removed`);
    return row.erasures;
  }

  async countErasure(): Promise<void> {
    for (let attempt = 0; attempt < limits.casAttemptsMax; attempt += 1) {
      const erasures = await this.erasures();
      const counted = await this.#connection.compareAndSet(
        `UPDATE ${this.#stores} SET erasures = ? WHERE store = ? IF erasures = ?`,
        [erasures + 1n, this.#store, erasures],
      );
      if (counted) return;
    }
    throw storeError('contended', 'the count of erasures');
  }

  async get(subjects: readonly string[]): Promise<Map<string, Wrapped>> {
    const found = new Map<string, Wrapped>();
    await this.#inBuckets(subjects, async (bucket, some) => {
      for (const [subject, wrapped] of await this.#read(bucket, some)) found.set(subject, wrapped);
    });
    return found;
  }

  /** Enters keys for subjects that have none. Of several who do so at once, the first one's stay. */
  async enter(subjects: readonly string[], wrap: (subject: string) => Uint8Array): Promise<void> {
    await this.#inBuckets(subjects, async (bucket, some) => {
      let left = some;
      for (let attempt = 0; left.length > 0; attempt += 1) {
        if (attempt >= limits.casAttemptsMax) throw storeError('contended', 'new keys');
        const statements = left.map((subject) => ({
          query: `INSERT INTO ${this.#keys} (store, bucket, subject, wrapped) VALUES (?, ?, ?, ?) IF NOT EXISTS`,
          params: [this.#store, bucket, subject, Buffer.from(wrap(subject))],
        }));
        if (await this.#connection.compareAndSetAll(statements)) return;
        const known = await this.#read(bucket, left);
        left = left.filter((subject) => !known.has(subject));
      }
    });
  }

  /** Puts a tombstone in the place of each subject's key; how many keys were there. */
  async erase(subjects: readonly string[]): Promise<number> {
    const counts = await mapBounded(subjects, limits.bucketsReadMax, async (subject) =>
      (await this.#eraseOne(subject)) ? 1 : 0,
    );
    return counts.reduce<number>((sum, count) => sum + count, 0);
  }

  async #eraseOne(subject: string): Promise<boolean> {
    const bucket = bucketOf(subject);
    for (let attempt = 0; attempt < limits.casAttemptsMax; attempt += 1) {
      const held = (await this.#read(bucket, [subject])).get(subject);
      if (held === 'erased') return false;
      const place = [this.#store, bucket, subject] as const;
      const done = held
        ? await this.#connection.compareAndSet(
            `UPDATE ${this.#keys} SET wrapped = ? WHERE store = ? AND bucket = ? AND subject = ? IF wrapped = ?`,
            [Buffer.alloc(0), ...place, Buffer.from(held)],
          )
        : await this.#connection.compareAndSet(
            `INSERT INTO ${this.#keys} (store, bucket, subject, wrapped) VALUES (?, ?, ?, ?) IF NOT EXISTS`,
            [...place, Buffer.alloc(0)],
          );
      if (done) return held !== undefined;
    }
    throw storeError('contended', 'a key');
  }

  /** Subjects strictly after `after` by their UTF-8 bytes, at most `limit`. */
  async list(
    after: string | undefined,
    limit: number,
  ): Promise<readonly { readonly subject: string; readonly isErased: boolean }[]> {
    const query = `SELECT subject, wrapped FROM ${this.#keys}
      WHERE store = ? AND bucket = ? AND subject > ? LIMIT ${limit}`;
    const all = Array.from({ length: buckets }, (_, bucket) => bucket);
    let best: { readonly bytes: Buffer; readonly row: DriverRow }[] = [];
    await mapBounded(all, limits.bucketsReadMax, async (bucket) => {
      const pages = this.#connection.pages(query, [this.#store, bucket, after ?? ''], 1_000);
      for await (const page of pages) {
        const read = page.map((row) => ({ bytes: Buffer.from(String(row.subject)), row }));
        const limitBytes = best.length >= limit ? best.at(-1)?.bytes : undefined;
        const nearer = limitBytes
          ? read.filter(({ bytes }) => Buffer.compare(bytes, limitBytes) < 0)
          : read;
        best = [...best, ...nearer]
          .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
          .slice(0, limit);
        // A partition is sorted: what comes behind is farther still.
        if (nearer.length < read.length) return;
      }
    });
    return best.map(({ row }) => ({
      subject: String(row.subject),
      isErased: (row.wrapped as Uint8Array).length === 0,
    }));
  }

  async #read(bucket: number, subjects: readonly string[]): Promise<Map<string, Wrapped>> {
    const rows = await this.#connection.execute(
      `SELECT subject, wrapped FROM ${this.#keys} WHERE store = ? AND bucket = ? AND subject IN ?`,
      [this.#store, bucket, [...subjects]],
    );
    return new Map(
      rows.map(({ subject, wrapped }) => {
        const bytes = wrapped as Uint8Array;
        return [String(subject), bytes.length === 0 ? 'erased' : bytes];
      }),
    );
  }

  async #inBuckets(
    subjects: readonly string[],
    work: (bucket: number, subjects: readonly string[]) => Promise<void>,
  ): Promise<void> {
    const parts = new Map<string, { readonly bucket: number; readonly subjects: string[] }>();
    const sizes = new Map<number, number>();
    for (const subject of subjects) {
      const bucket = bucketOf(subject);
      const size = sizes.get(bucket) ?? 0;
      sizes.set(bucket, size + 1);
      const name = `${bucket} ${Math.floor(size / keysAtOnce)}`;
      const part = parts.get(name) ?? { bucket, subjects: [] };
      parts.set(name, part);
      part.subjects.push(subject);
    }
    await mapBounded([...parts.values()], limits.bucketsReadMax, (part) =>
      work(part.bucket, part.subjects),
    );
  }
}

/** Keys in one request: a batch of theirs stays below the size that Cassandra warns of. */
const keysAtOnce = 20;

function bucketOf(subject: string): number {
  return placeOf(Buffer.from(subject), buckets);
}
