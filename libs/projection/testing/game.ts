import { idFromKey } from '@annals/core';
import {
  type Checkpoint,
  type EventLog,
  EventTypes,
  eventType,
  type MemoryEventLog,
  type MemoryLogOptions,
  memoryEventLog,
} from '@annals/event-log';
import { z } from 'zod';
import { generationDirectory } from '../generations/directory.ts';
import { noPersonalData } from '../generations/events.ts';
import { MemoryProjectionDatabase, memoryProjectionStore } from '../memory-projection-store.ts';
import type { Operation } from '../operations/operation.ts';
import { defineProjection, type Projection, type Row } from '../projection.ts';
import { type Projector, type ProjectorOptions, runProjector } from '../projector/run-projector.ts';
import type { ProjectionStore } from '../store.ts';
import { VirtualClock } from './virtual-clock.ts';

/** A small game for the tests of the runtime: players score, rename themselves, and stumble. */
const scored = eventType({
  name: 'scored',
  schemaVersion: 1,
  schema: z.strictObject({ player: z.string(), points: z.int() }),
});
/** Events of another stream category that the projection does not follow. */
const noted = eventType({ name: 'noted', schemaVersion: 1, schema: z.strictObject({}) });
const stumbled = eventType({
  name: 'stumbled',
  schemaVersion: 1,
  schema: z.strictObject({ player: z.string() }),
});

const gameEvents = [scored, noted, stumbled] as const;
export const gameEventTypes = new EventTypes<(typeof gameEvents)[number]>(gameEvents);

const totals = {
  name: 'totals',
  columns: { player: 'text', points: 'integer', games: 'integer' },
  key: ['player'],
} as const;
const games = {
  name: 'games',
  columns: { event_id: 'text', player: 'text', points: 'integer' },
  key: ['event_id'],
  writeOnly: true,
} as const;

/** What a handler may be told to do wrong, by tests. */
export interface Trouble {
  /** `stumbled` events throw while this is true. */
  stumbles: boolean;
}

export function gameProjection(
  change: Partial<Projection> = {},
  trouble: Trouble = { stumbles: true },
): Projection {
  const defined = defineProjection({
    name: 'game',
    version: 1,
    categories: ['game'],
    tables: [totals, games],
    split: 'stream',
    onFailure: 'park',
    types: gameEventTypes,
    handlers: {
      scored: {
        touches: (event) => [{ table: 'totals', key: [event.data.player] }],
        apply: (event, rows) => {
          const { player, points } = event.data;
          const before = rows.get('totals', [player]);
          rows.put('totals', {
            player,
            points: ((before?.points as number | undefined) ?? 0) + points,
            games: ((before?.games as number | undefined) ?? 0) + 1,
          });
          rows.put('games', { event_id: event.id, player, points });
        },
      },
      noted: 'ignored',
      stumbled: {
        touches: (event) => [{ table: 'totals', key: [event.data.player] }],
        apply: (event, rows) => {
          // Half a change first, so that a test sees it undone.
          rows.put('totals', { player: event.data.player, points: -1, games: -1 });
          if (trouble.stumbles) throw new Error('stumbled over nothing');
          rows.delete('totals', [event.data.player]);
        },
      },
    },
  });
  return { ...defined, ...change };
}

/** Everything that outlives a process in a test: clock, log storage and database. */
export class GameSite {
  readonly clock = new VirtualClock();
  readonly log: MemoryEventLog;
  readonly database: MemoryProjectionDatabase;
  readonly store: ProjectionStore;
  #events = 0;
  #processes = 0;

  constructor(options: MemoryLogOptions = {}, database = new MemoryProjectionDatabase()) {
    this.log = memoryEventLog({ clock: this.clock, ...options });
    this.database = database;
    this.store = memoryProjectionStore({ clock: this.clock, database: this.database });
  }

  /** Another process on the same disks. */
  openStore(): ProjectionStore {
    return memoryProjectionStore({ clock: this.clock, database: this.database });
  }

  score(stream: string, points: number, player = stream): Promise<string> {
    return this.append(`game-${stream}`, { type: 'scored', data: { player, points } });
  }

  stumble(stream: string, player = stream): Promise<string> {
    return this.append(`game-${stream}`, { type: 'stumbled', data: { player } });
  }

  note(): Promise<string> {
    return this.append('other-notes', { type: 'noted', data: {} });
  }

  /** Appends one event and returns its id. */
  async append(
    stream: string,
    event: { type: 'scored' | 'stumbled' | 'noted'; data: object },
  ): Promise<string> {
    this.#events += 1;
    const id = idFromKey('game', String(this.#events));
    const whole = { ...event, id, occurredAt: this.clock.now() } as Parameters<
      typeof gameEventTypes.encode
    >[0][number];
    const encoded = await gameEventTypes.encode([whole], noPersonalData);
    if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
    const result = await this.log.append(stream, encoded.events, { expected: 'any' });
    if (result.kind !== 'stored') throw new Error(result.kind);
    return id;
  }

  operation(projection: Projection, holder = 'operator'): Operation {
    const { log, clock } = this;
    const store = this.openStore();
    return { log, store, projection, cipher: noPersonalData, clock, holder };
  }

  /** What the totals must be: a sum over the log, without any projection. */
  async naiveTotals(): Promise<readonly string[]> {
    const totals = new Map<string, { points: number; games: number }>();
    for (let from: Checkpoint | 'start' = 'start', end = false; !end; ) {
      const page = await this.log.read(from, { types: ['scored'] });
      for (const event of page.events) {
        const { player, points } = JSON.parse(event.data) as { player: string; points: number };
        const before = totals.get(player) ?? { points: 0, games: 0 };
        totals.set(player, { points: before.points + points, games: before.games + 1 });
      }
      ({ checkpoint: from, end } = page);
    }
    const byPlayer = [...totals].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return byPlayer.map(([player, total]) => JSON.stringify({ player, ...total }));
  }

  /** Starts a projector in a process of its own. */
  start(
    projections: readonly Projection[],
    options: Partial<ProjectorOptions> & { readonly log?: EventLog } = {},
  ): ProjectorProcess {
    this.#processes += 1;
    const stop = new AbortController();
    const log = options.log ?? this.log;
    const { clock } = this;
    const store = options.storeFor?.(projections[0] as Projection) ?? this.openStore();
    const directory = generationDirectory(log, { signal: stop.signal, clock });
    const projector = runProjector({
      log,
      cipher: noPersonalData,
      projections,
      directory,
      clock,
      holder: `projector-${this.#processes}`,
      signal: stop.signal,
      ...options,
      storeFor: () => store,
    });
    const { done, status } = projector;
    const crash = async () => {
      // Nothing it still tries reaches the store: its leases stay until they run out.
      await store.close();
      stop.abort();
    };
    return { done, status, directory, crash, stop: () => this.#stopped(stop, done) };
  }

  async #stopped(stop: AbortController, ended: Promise<void>): Promise<void> {
    stop.abort();
    await this.clock.until(ended);
  }

  /** All rows of a generation as text, by table and key; without its dead letters. */
  async rows(generation: number): Promise<{ readonly [table: string]: readonly string[] }> {
    const tables: { [table: string]: string[] } = {};
    for (const [name, rows] of Object.entries(await this.tables(generation))) {
      if (name !== 'dead_letters') tables[name] = rows.map((row) => JSON.stringify(row));
    }
    return tables;
  }

  async tables(generation: number): Promise<{ readonly [table: string]: readonly Row[] }> {
    const opened = await this.openStore().open(generation);
    if (opened === 'lost') throw new Error(`g${generation} is lost`);
    const snapshot = await opened.snapshot();
    const tables: { [table: string]: Row[] } = {};
    for (const { name } of opened.spec.tables) {
      const rows: Row[] = [];
      for await (const page of snapshot.rows(name)) rows.push(...page);
      tables[name] = rows;
    }
    return tables;
  }

  async checkpoint(generation: number): Promise<Checkpoint> {
    const opened = await this.openStore().open(generation);
    if (opened === 'lost') throw new Error(`g${generation} is lost`);
    return opened.checkpoint();
  }
}

export interface ProjectorProcess extends Projector {
  readonly directory: ReturnType<typeof generationDirectory>;
  stop(): Promise<void>;
  /** Ends it without a goodbye. */
  crash(): Promise<void>;
}
