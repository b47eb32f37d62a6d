import { type Bound, CassandraConnection, type Statement } from '../connection.ts';
import { parseCassandraUrl } from '../url.ts';

/** Asked before each write goes out. It may throw (the process died), or wait (the write is late). */
export type Gate = (write: { readonly query: string; readonly cas: boolean }) => Promise<void>;

/** A connection whose writes can be lost or delayed one by one. */
export class GatedConnection extends CassandraConnection {
  gate: Gate = () => Promise.resolve();

  static async open(url: string): Promise<GatedConnection> {
    const connection = new GatedConnection(parseCassandraUrl(url));
    await connection.connect();
    return connection;
  }

  override async execute(query: string, params: readonly Bound[] = []) {
    if (!query.startsWith('SELECT')) await this.gate({ query, cas: false });
    return super.execute(query, params);
  }

  override async batch(statements: readonly Statement[]): Promise<void> {
    const [first] = statements;
    // One alone goes through `execute`, which asks.
    if (first && statements.length > 1) await this.gate({ query: first.query, cas: false });
    return super.batch(statements);
  }

  override async compareAndSet(query: string, params: readonly Bound[]): Promise<boolean> {
    await this.gate({ query, cas: true });
    return super.compareAndSet(query, params);
  }
}

export class Crash extends Error {
  readonly code = 'crash';
}

/** Lets `writes` writes through; from then on the process is dead. */
export function crashAfter(writes: number): Gate & { readonly reached: () => boolean } {
  let left = writes;
  const gate: Gate = async () => {
    left -= 1;
    if (left < 0) throw new Crash(`dead after ${writes} writes`);
  };
  return Object.assign(gate, { reached: () => left < 0 });
}

/** Holds back the writes it is told to, until they are let go. */
export class Delay {
  readonly #which: (query: string, cas: boolean) => boolean;
  readonly #waiting: (() => void)[] = [];
  #open = false;
  #arrived: () => void = () => undefined;
  /** Resolves when the first write is held back. */
  readonly first: Promise<void>;

  constructor(which: (query: string, cas: boolean) => boolean) {
    this.#which = which;
    this.first = new Promise((resolve) => {
      this.#arrived = resolve;
    });
  }

  readonly gate: Gate = async ({ query, cas }) => {
    if (this.#open || !this.#which(query, cas)) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      this.#arrived();
    });
  };

  letGo(): void {
    this.#open = true;
    for (const go of this.#waiting.splice(0)) go();
  }
}

/** Says of every other compare-and-set that took effect that it did not, as Paxos may after contention. */
export class ForgetfulConnection extends CassandraConnection {
  #applied = 0;

  static async open(url: string): Promise<ForgetfulConnection> {
    const connection = new ForgetfulConnection(parseCassandraUrl(url));
    await connection.connect();
    return connection;
  }

  override async compareAndSet(query: string, params: readonly Bound[]): Promise<boolean> {
    const applied = await super.compareAndSet(query, params);
    if (applied) this.#applied += 1;
    return applied && this.#applied % 2 === 0;
  }
}
