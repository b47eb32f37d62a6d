import { randomUUID } from 'node:crypto';
import type { Cell, RowChange, Table } from '@annals/projection';
import { fromJsonCell, type JsonCell, toJsonCell } from './cells.ts';
import type { CassandraConnection } from './connection.ts';
import { mapBounded } from './in-flight.ts';
import { limits } from './limits.ts';

/** A change as it is written down: the table's number, the key, all cells of the row in the table's order. */
type JsonChange = readonly [number, readonly JsonCell[], readonly JsonCell[] | null];

/** What a worker's row says of where the changes of its last batch are. */
type Written = { readonly content?: string } & (
  | { readonly changes: readonly JsonChange[] }
  | { readonly ticket: string; readonly chunks: number }
);

/** What tells the batch of a journal from others, where it left the checkpoint where it was. */
export function contentOf(journal: string | null): string | undefined {
  return journal?.endsWith('"}') ? (JSON.parse(journal) as Written).content : undefined;
}

/**
 * The changes of a batch, written down before it is decided, so that whoever comes next can write its
 * rows when its own writer died. A short one is kept in the worker's row, a long one in chunks under a
 * name that is used once.
 */
export class Journals {
  readonly #connection: CassandraConnection;
  readonly #instance: string;
  readonly #tables: readonly Table[];

  constructor(connection: CassandraConnection, instance: string, tables: readonly Table[]) {
    this.#connection = connection;
    this.#instance = instance;
    this.#tables = tables;
  }

  /** Gives what the worker's row is to say; null when there is nothing to say. */
  async write(changes: readonly RowChange[], content: string | null): Promise<string | null> {
    const last = content === null ? '' : `,"content":"${content}"`;
    if (changes.length === 0) return content === null ? null : `{"changes":[]${last}}`;
    const chunks = chunked(changes.map((change) => JSON.stringify(this.#toJson(change))));
    if (chunks.length === 1 && (chunks[0]?.length ?? 0) <= limits.inlineJournalLengthMax) {
      return `{"changes":${chunks[0]}${last}}`;
    }
    const ticket = randomUUID();
    await mapBounded(chunks, 16, (body, chunk) =>
      this.#connection.execute(
        `INSERT INTO ${this.#connection.keyspace}.annals_journals (instance, ticket, chunk, body)
         VALUES (?, ?, ?, ?) USING TTL ${limits.journalSeconds}`,
        [this.#instance, ticket, chunk, body],
      ),
    );
    return `{"ticket":"${ticket}","chunks":${chunks.length}${last}}`;
  }

  /** The changes of a batch; undefined when they are not there any more. */
  async read(journal: string | null): Promise<readonly RowChange[] | undefined> {
    if (journal === null) return [];
    const written = JSON.parse(journal) as Written;
    if ('changes' in written) return written.changes.map((change) => this.#fromJson(change));
    const { ticket, chunks } = written;
    const pages = this.#connection.pages(
      `SELECT body FROM ${this.#connection.keyspace}.annals_journals WHERE instance = ? AND ticket = ?`,
      [this.#instance, ticket],
      limits.journalPageChunks,
    );
    const changes: RowChange[] = [];
    let found = 0;
    for await (const page of pages) {
      found += page.length;
      for (const { body } of page) {
        for (const change of JSON.parse(String(body)) as JsonChange[]) {
          changes.push(this.#fromJson(change));
        }
      }
    }
    return found === chunks ? changes : undefined;
  }

  async remove(journal: string | null): Promise<void> {
    // A short one goes with the worker's row.
    if (!journal?.startsWith('{"ticket"')) return;
    const written = JSON.parse(journal) as Extract<Written, { readonly ticket: string }>;
    await this.#connection.execute(
      `DELETE FROM ${this.#connection.keyspace}.annals_journals WHERE instance = ? AND ticket = ?`,
      [this.#instance, written.ticket],
    );
  }

  #toJson({ table, key, row }: RowChange): JsonChange {
    const number = this.#tables.findIndex(({ name }) => name === table);
    const columns = Object.keys(this.#tables[number]?.columns ?? {});
    const cells = row && columns.map((column) => toJsonCell(row[column] as Cell));
    return [number, key.map(toJsonCell), cells];
  }

  #fromJson([number, key, cells]: JsonChange): RowChange {
    const table = this.#tables[number] as Table;
    const columns = Object.keys(table.columns);
    const row =
      cells &&
      Object.fromEntries(columns.map((column, n) => [column, fromJsonCell(cells[n] as JsonCell)]));
    return { table: table.name, key: key.map(fromJsonCell), row };
  }
}

/** JSON arrays of these texts, none much longer than a chunk may be. */
function chunked(texts: readonly string[]): string[] {
  const chunks: string[] = [];
  let open: string[] = [];
  let length = 0;
  for (const text of texts) {
    if (length > 0 && length + text.length > limits.journalChunkLengthMax) {
      chunks.push(`[${open.join(',')}]`);
      open = [];
      length = 0;
    }
    open.push(text);
    length += text.length + 1;
  }
  chunks.push(`[${open.join(',')}]`);
  return chunks;
}
