import cassandra from 'cassandra-driver';
import { type CassandraStoreError, cassandraError, mayPass, storeError } from './errors.ts';
import { InFlight } from './in-flight.ts';
import { limits } from './limits.ts';
import { type CassandraPlace, type Consistency, parseCassandraUrl } from './url.ts';

const { consistencies } = cassandra.types;
const byName: { readonly [name in Consistency]: number } = {
  'local-quorum': consistencies.localQuorum,
  'local-one': consistencies.localOne,
  quorum: consistencies.quorum,
  'each-quorum': consistencies.eachQuorum,
  all: consistencies.all,
  one: consistencies.one,
};

/** A value as the driver takes and gives it. */
export type Bound = string | bigint | number | boolean | null | Uint8Array | readonly unknown[];
export type DriverRow = { readonly [column: string]: unknown };

export interface Statement {
  readonly query: string;
  readonly params: readonly Bound[];
}

export interface Page {
  readonly rows: readonly DriverRow[];
  readonly next: string | undefined;
}

export interface ConnectionOptions {
  /**
   * After how long a statement that may be repeated fails, with all that it was sent again for: for those who must
   * answer sooner than others. Without it each sending has `limits.requestMsMax`.
   */
  readonly answerMsMax?: number;
}

/**
 * One client of a cluster, shared by all that a process does there. Every statement is prepared; at
 * most 256 are on their way; those that may be repeated are, a few times.
 */
export class CassandraConnection {
  readonly place: CassandraPlace;
  readonly #client: cassandra.Client;
  readonly #inFlight = new InFlight(limits.inFlightMax, limits.waitingMax);
  readonly #serial: number;
  readonly #answerMsMax: number | undefined;
  #closed = false;

  constructor(place: CassandraPlace, { answerMsMax }: ConnectionOptions = {}) {
    this.place = place;
    this.#answerMsMax = answerMsMax;
    this.#serial = place.serial === 'serial' ? consistencies.serial : consistencies.localSerial;
    const { credentials } = place;
    this.#client = new cassandra.Client({
      contactPoints: [...place.contactPoints],
      localDataCenter: place.datacenter,
      ...(credentials ? { credentials: { ...credentials } } : {}),
      ...(place.tls ? { sslOptions: { rejectUnauthorized: true } } : {}),
      encoding: { useBigIntAsLong: true },
      queryOptions: {
        consistency: byName[place.consistency],
        serialConsistency: this.#serial,
        prepare: true,
      },
      // What may be sent again is known here, statement by statement.
      policies: {
        retry: new cassandra.policies.retry.FallthroughRetryPolicy(),
        // The driver's own would wait up to ten minutes: a node that was away for long would be away for longer.
        reconnection: new cassandra.policies.reconnection.ExponentialReconnectionPolicy(
          limits.reconnectMsMin,
          limits.reconnectMsMax,
        ),
      },
      protocolOptions: { maxSchemaAgreementWaitSeconds: limits.schemaAgreementSecondsMax },
      socketOptions: {
        connectTimeout: limits.connectMsMax,
        readTimeout: answerMsMax ?? limits.requestMsMax,
      },
    });
  }

  get keyspace(): string {
    return this.place.keyspace;
  }

  async connect(): Promise<void> {
    await this.#guarded(() => this.#client.connect());
  }

  /** A statement that may be repeated without harm: a read, or a write with a stamp of its own. All rows of it. */
  async execute(query: string, params: readonly Bound[] = []): Promise<readonly DriverRow[]> {
    const result = await this.#repeated(() => this.#run(query, params));
    if (!result.pageState) return result.rows ?? [];
    const rows: DriverRow[] = [];
    for await (const page of this.pages(query, params, limits.pageRows)) rows.push(...page);
    return rows;
  }

  async page(
    query: string,
    params: readonly Bound[],
    rows: number,
    from: string | undefined,
  ): Promise<Page> {
    const options = { fetchSize: rows, ...(from === undefined ? {} : { pageState: from }) };
    const result = await this.#repeated(() => this.#run(query, params, options));
    return { rows: result.rows, next: result.pageState ?? undefined };
  }

  /** All rows of a query, page by page. */
  async *pages(
    query: string,
    params: readonly Bound[],
    rows: number,
  ): AsyncGenerator<readonly DriverRow[]> {
    let from: string | undefined;
    do {
      const page = await this.page(query, params, rows, from);
      if (page.rows.length > 0) yield page.rows;
      from = page.next;
    } while (from !== undefined);
  }

  /** Statements of one partition in one step. Each carries its stamp, so they may be repeated. */
  async batch(statements: readonly Statement[]): Promise<void> {
    const [only] = statements;
    if (!only) return;
    if (statements.length === 1) {
      await this.execute(only.query, only.params);
      return;
    }
    const queries = statements.map(({ query, params }) => ({ query, params: [...params] }));
    await this.#repeated(() => this.#client.batch(queries, { prepare: true, logged: false }));
  }

  /** Reads what compare-and-set has decided, finishing what was under way. */
  async serialRead(query: string, params: readonly Bound[]): Promise<readonly DriverRow[]> {
    const result = await this.#repeated(() =>
      this.#run(query, params, { consistency: this.#serial }),
    );
    return result.rows;
  }

  /** A compare-and-set; never repeated. Whether it was applied. Throws `unknown-outcome` when nobody can tell. */
  async compareAndSet(query: string, params: readonly Bound[]): Promise<boolean> {
    const result = await this.#guarded(() => this.#run(query, params));
    return result.rows[0]?.['[applied]'] === true;
  }

  /** Compare-and-sets of one partition, all of them or none; never repeated. */
  async compareAndSetAll(statements: readonly Statement[]): Promise<boolean> {
    const queries = statements.map(({ query, params }) => ({ query, params: [...params] }));
    const result = await this.#guarded(() =>
      this.#client.batch(queries, { prepare: true, logged: false }),
    );
    return result.rows[0]?.['[applied]'] === true;
  }

  /** A change of the schema, known to all nodes when it resolves. */
  async schema(query: string): Promise<void> {
    const options = { prepare: false, readTimeout: limits.schemaMsMax };
    const result = await this.#guarded(() => this.#client.execute(query, [], options));
    const { isSchemaInAgreement } = result.info as { readonly isSchemaInAgreement?: boolean };
    for (let waitedMs = 0; isSchemaInAgreement === false; waitedMs += 500) {
      if (await this.#agrees()) return;
      if (waitedMs >= limits.schemaAgreementSecondsMax * 1_000) throw storeError('schema', query);
      await pause(500);
    }
  }

  async #agrees(): Promise<boolean> {
    // The driver has this, its types do not.
    const metadata = this.#client.metadata as cassandra.metadata.Metadata & {
      checkSchemaAgreement(): Promise<boolean>;
    };
    return metadata.checkSchemaAgreement();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#client.shutdown();
  }

  #run(
    query: string,
    params: readonly Bound[],
    options: cassandra.QueryOptions = {},
  ): Promise<cassandra.types.ResultSet> {
    return this.#client.execute(query, [...params], options);
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw storeError('closed', this.keyspace);
    try {
      return await this.#inFlight.run(work);
    } catch (error) {
      throw cassandraError(error);
    }
  }

  async #repeated<T>(work: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    const isLate = () =>
      performance.now() - begun >= (this.#answerMsMax ?? Number.POSITIVE_INFINITY);
    const inTime = () => {
      // Whoever asked was given up on while others were before him: what hung is not followed by all that came since.
      if (isLate()) throw storeError('unreachable', `no turn within ${this.#answerMsMax} ms`);
      return work();
    };
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#guarded(inTime);
      } catch (error) {
        const isLast = attempt >= limits.attemptsMax || isLate();
        if (isLast || this.#closed || !mayPass(error)) throw error;
        await pause(limits.retryMsMin * 2 ** attempt * (0.5 + Math.random()));
      }
    }
  }
}

/** Connects to the cluster of this url. Throws CassandraStoreError within `limits.connectMsMax`, or so. */
export async function connectCassandra(
  url: string,
  options: ConnectionOptions = {},
): Promise<CassandraConnection> {
  const connection = new CassandraConnection(parseCassandraUrl(url), options);
  try {
    await connection.connect();
    return connection;
  } catch (error) {
    await connection.close().catch(() => undefined);
    throw error as CassandraStoreError;
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
