import type { SubjectCipher } from '@annals/core';
import { coversAll, type MemoryEventLog, memoryEventLog, type NewEvent } from '@annals/event-log';
import { describe, expect, test } from 'vitest';
import { deadLetterTable } from '../dead-letters.ts';
import { generationDirectory } from '../generations/directory.ts';
import { MemoryProjectionDatabase, memoryProjectionStore } from '../memory-projection-store.ts';
import { rowText } from '../operations/compare.ts';
import type { Operation } from '../operations/operation.ts';
import { rebuild } from '../operations/rebuild.ts';
import { verify } from '../operations/verify.ts';
import type { Projection, Row, Rows } from '../projection.ts';
import { runProjector } from '../projector/run-projector.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import { VirtualClock } from '../testing/virtual-clock.ts';

/** One thing that happens to the log, or beside it (a subject is erased). */
export type HistoryStep =
  | { readonly stream: string; readonly events: readonly NewEvent[] }
  | { readonly act: (log: MemoryEventLog) => Promise<void> };

export interface History {
  readonly cipher: SubjectCipher;
  readonly steps: readonly HistoryStep[];
}

/** Makes a random history of the projection's categories; the same for the same random numbers. */
export type MakeHistory = (random: SeededRandom, clock: VirtualClock) => Promise<History>;

/**
 * Rebuilt = live, byte for byte: the rows that a live projector came to, in small batches, through
 * crashes, store errors and stores that went back, are those of one rebuild. Every projection of the
 * repository calls this once. Dead letters are not compared.
 */
export function describeRebuildEqualsLive(
  projection: Projection,
  makeHistory: MakeHistory,
  options: { readonly seeds?: number } = {},
): void {
  const seeds = Array.from({ length: options.seeds ?? 20 }, (_, seed) => seed + 1);
  describe(`${projection.name}: rebuilt = live`, () => {
    test.each(seeds)('seed %i', async (seed) => {
      const random = new SeededRandom(seed);
      const world = new World(random, frozenRows(projection));
      const { steps, cipher } = await world.clock.until(makeHistory(random, world.clock));
      await world.live(steps, cipher);
      const operation = world.operation(cipher);
      const workers = random.int(
        1,
        projection.split === 'partition' ? await world.partitions() : 4,
      );
      const { onFailure } = projection;
      const rebuilt = await world.clock.until(rebuild({ ...operation, workers, onFailure }));
      expect(rebuilt).toMatchObject({ kind: 'rebuilt', generation: 2 });
      for (const { name } of projection.tables) {
        expect(await world.rows(2, name)).toEqual(await world.rows(1, name));
      }
      expect((await world.clock.until(verify(operation))).kind).toBe('verified');
    });
  });
}

/** Handlers that change a row they were given would be right live and wrong in a rebuild: such a change throws. */
function frozenRows(projection: Projection): Projection {
  return {
    ...projection,
    apply: (event, rows, touched) => {
      const frozen: Rows = {
        get: (table, key) => {
          const row = rows.get(table, key);
          return row && Object.freeze(row);
        },
        put: (table, row) => rows.put(table, Object.freeze(row)),
        delete: (table, key) => rows.delete(table, key),
        add: (table, key, addends, rest) =>
          rows.add(table, key, addends, rest && Object.freeze(rest)),
      };
      projection.apply(event, frozen, touched);
    },
  };
}

const settleMsMax = 600_000;

/** Disks and time of one seed. */
class World {
  readonly clock = new VirtualClock();
  readonly #random: SeededRandom;
  readonly #projection: Projection;
  readonly #log: MemoryEventLog;
  readonly #database = new MemoryProjectionDatabase();
  #fair = false;
  #processes = 0;

  constructor(random: SeededRandom, projection: Projection) {
    this.#random = random;
    this.#projection = projection;
    this.#log = memoryEventLog({ clock: this.clock, partitions: random.int(1, 4) });
  }

  async partitions(): Promise<number> {
    return Math.max(1, Object.keys(await this.#log.head()).length);
  }

  operation(cipher: SubjectCipher): Operation {
    const { clock } = this;
    const store = memoryProjectionStore({ clock, database: this.#database });
    const holder = 'operator';
    return { log: this.#log, store, projection: this.#projection, cipher, clock, holder };
  }

  /** Plays the steps to a projector that crashes, and whose store fails and goes back; then lets it catch up. */
  async live(steps: readonly HistoryStep[], cipher: SubjectCipher): Promise<void> {
    const random = this.#random;
    let process = this.#start(cipher);
    let copy = this.#database.backup();
    for (const step of steps) {
      if ('act' in step) await step.act(this.#log);
      else await this.#append(step.stream, step.events);
      if (random.chance(60)) await this.clock.advance(random.int(0, 200));
      if (random.chance(12)) copy = this.#database.backup();
      if (random.chance(8) && copy.generations.size > 0) this.#database.restore(copy);
      if (random.chance(4)) {
        await process.crash();
        process = this.#start(cipher);
      }
    }
    this.#fair = true;
    for (let waited = 0; !(await this.#isSettled()); waited += 1_000) {
      if (waited > settleMsMax) throw new Error('the live projector does not catch up');
      await this.clock.advance(1_000);
    }
    await process.crash();
    // Leases of crashed processes run out.
    await this.clock.advance(60_000);
  }

  async #append(stream: string, events: readonly NewEvent[]): Promise<void> {
    const result = await this.#log.append(stream, events, { expected: 'any' });
    expect(result.kind).toBe('stored');
  }

  async #isSettled(): Promise<boolean> {
    const opened = await this.operation(noCipher).store.open(1);
    if (opened === 'lost') return false;
    return coversAll(await opened.checkpoint(), await this.#log.head());
  }

  /** The log as a process sees it whose subscriptions break off, begin too early and repeat themselves. */
  #faultyLog(): MemoryEventLog {
    const random = this.#random;
    const isFoul = () => !this.#fair && random.chance(10);
    return memoryEventLog({
      storage: this.#log.storage,
      clock: this.clock,
      faults: {
        subscribe: (from) => (isFoul() ? {} : from),
        deliver: () => (isFoul() ? (random.chance(30) ? 'throw' : 'repeat') : undefined),
      },
    });
  }

  #start(cipher: SubjectCipher): { crash(): Promise<void> } {
    const random = this.#random;
    const { clock } = this;
    const faults = () => {
      if (this.#fair || !random.chance(8)) return 'none' as const;
      return random.chance(50) ? ('before' as const) : ('after' as const);
    };
    const store = memoryProjectionStore({ clock, database: this.#database, faults });
    const log = this.#faultyLog();
    const stop = new AbortController();
    const { signal } = stop;
    this.#processes += 1;
    const projector = runProjector({
      log,
      cipher,
      projections: [this.#projection],
      storeFor: () => store,
      directory: generationDirectory(log, { signal, clock }),
      clock,
      holder: `process-${this.#processes}`,
      signal,
    });
    projector.done.catch(() => undefined);
    return {
      crash: async () => {
        // Nothing it still tries reaches the store.
        await store.close();
        stop.abort();
      },
    };
  }

  async rows(generation: number, table: string): Promise<readonly string[]> {
    if (table === deadLetterTable.name) return [];
    const opened = await this.operation(noCipher).store.open(generation);
    if (opened === 'lost') throw new Error(`g${generation} is lost`);
    const columns = Object.keys(
      opened.spec.tables.find(({ name }) => name === table)?.columns ?? {},
    );
    const snapshot = await opened.snapshot();
    const rows: Row[] = [];
    for await (const page of snapshot.rows(table)) rows.push(...page);
    return rows.map((row) => rowText(columns, row));
  }
}

const noCipher: SubjectCipher = { keyring: () => Promise.reject(new Error('not asked')) };
