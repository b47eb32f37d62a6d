import { canonicalJson, sha256 } from '@annals/core';
import {
  type Checkpoint,
  coversAll,
  type EventLog,
  LogHash,
  type StoredEvent,
} from '@annals/event-log';
import {
  type LeaderboardEvent,
  leaderboardEvents,
  leaderboardProjection,
  NaiveLeaderboard,
  periodOf,
} from '@annals/leaderboard';
import type { Cell, ProjectionStore, Row } from '@annals/projection';
import { InvariantError } from '../trace.ts';
import { openLog } from '../weather.ts';
import { boards, type Clients, namePrefix, scoreKey } from './clients.ts';
import { openKeys, type World } from './world.ts';

/** Every table of a generation as canonical text, by table. */
export async function rowsOf(
  store: ProjectionStore,
  generation: number,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const open = await store.open(generation);
  if (open === 'lost') throw new InvariantError('present', `g${generation} is lost`);
  const snapshot = await open.snapshot();
  const tables = new Map<string, readonly string[]>();
  for (const { name } of open.spec.tables) {
    const rows: string[] = [];
    for await (const page of snapshot.rows(name))
      rows.push(...page.map((row) => canonicalJson(row)));
    tables.set(name, rows);
  }
  const problems = await snapshot.problems();
  if (problems.length > 0) throw new InvariantError('store', problems.join('; '));
  await snapshot.close();
  return tables;
}

export function sameRows(
  invariant: string,
  one: ReadonlyMap<string, readonly string[]>,
  other: ReadonlyMap<string, readonly string[]>,
): void {
  for (const [table, rows] of one) {
    const others = other.get(table) ?? [];
    const at = rows.findIndex((row, index) => row !== others[index]);
    if (at >= 0 || rows.length !== others.length) {
      const place = at >= 0 ? at : rows.length;
      const detail = `${table} row ${place}: ${rows[place]} is not ${others[place]}`;
      throw new InvariantError(invariant, detail);
    }
  }
}

/** Every event of the log, in an order that keeps that of each partition. */
export async function allEvents(log: EventLog): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = [];
  let from: Checkpoint | 'start' = 'start';
  for (;;) {
    const page = await log.read(from);
    events.push(...page.events);
    if (page.end) return events;
    from = page.checkpoint;
  }
}

/** What was acknowledged is in the log, once; what each caller was told is what the naive model says. */
export async function checkTold(world: World, clients: Clients): Promise<NaiveLeaderboard> {
  const log = openLog(world);
  const stored = await allEvents(log);
  checkStreams(stored);
  const open = stored.find(({ data }) => data.includes(namePrefix));
  if (open) throw new InvariantError('sealed', `${open.stream}@${open.revision} shows a name`);
  const { cipher } = openKeys(world);
  const naive = new NaiveLeaderboard();
  const scores = new Map<string, { stream: string; revision: number; points: number }>();
  const events = (await leaderboardEvents.decode(
    stored.filter(({ stream }) => !stream.startsWith('projection-')),
    cipher,
  )) as LeaderboardEvent[];
  for (const event of events) {
    naive.apply(event);
    if (event.type !== 'score-recorded') continue;
    const { board, match_id, user_id, points } = event.data;
    const key = JSON.stringify([board, match_id, user_id]);
    if (scores.has(key)) throw new InvariantError('once', `${key} is stored twice`);
    scores.set(key, { stream: event.stream, revision: event.revision, points });
  }
  for (const { input, result } of clients.told) {
    const place = scores.get(scoreKey(input));
    if (!place)
      throw new InvariantError('durable', `${scoreKey(input)} was acknowledged and is lost`);
    if (place.points !== input.points) {
      throw new InvariantError('content', `${scoreKey(input)} was acknowledged with other points`);
    }
    const answer = await naive.entries([place]);
    const entry = answer.kind === 'answer' ? answer.entries[0] : undefined;
    const counted = entry?.status === 'counted';
    if (result.kind === 'recorded' && !(counted && entry.total === result.total)) {
      const detail = `${scoreKey(input)}: told ${result.total}, and it is ${JSON.stringify(entry)}`;
      throw new InvariantError('told', detail);
    }
    if (result.kind === 'void' && counted) {
      throw new InvariantError('told', `${scoreKey(input)}: told void, and it counts`);
    }
  }
  if (clients.pending.size > 0) {
    throw new InvariantError('settles', `${[...clients.pending.keys()]} never got an answer`);
  }
  return naive;
}

/** No name of an erased player is left in any row. */
export function checkErased(clients: Clients, rows: ReadonlyMap<string, readonly string[]>): void {
  for (const player of clients.erased) {
    for (const name of clients.names.get(player) ?? []) {
      for (const [table, texts] of rows) {
        const left = texts.find((row) => row.includes(name));
        if (left) throw new InvariantError('erased', `${table} still has ${left}`);
      }
    }
  }
}

/** Revisions have no gaps, ids are stored once in a stream. */
function checkStreams(events: readonly StoredEvent[]): void {
  const next = new Map<string, number>();
  const ids = new Set<string>();
  for (const { stream, revision, id } of events) {
    if (revision !== (next.get(stream) ?? 0)) {
      throw new InvariantError('revisions', `${stream} has ${revision} after ${next.get(stream)}`);
    }
    next.set(stream, revision + 1);
    const key = `${stream} ${id}`;
    if (ids.has(key)) throw new InvariantError('once', `${key} is stored twice`);
    ids.add(key);
  }
}

/** The rows of the live generation, ranked by sorting them, are the naive board. */
export async function checkBoards(
  naive: NaiveLeaderboard,
  rows: ReadonlyMap<string, readonly string[]>,
  now: number,
): Promise<void> {
  const scores = (rows.get('scores') ?? []).map((row) => JSON.parse(row) as Row);
  const players = (rows.get('players') ?? []).map((row) => JSON.parse(row) as Row);
  const nameOf = new Map(players.map(({ user_id, name }) => [user_id, name]));
  for (const [board, { order, reset }] of Object.entries(boards)) {
    const seen = new Set(scores.filter((row) => row.board === board).map((row) => row.period));
    for (const period of new Set([...seen, periodOf(reset, now)]) as Set<string>) {
      const query = { board, period, order, limit: 1_000, offset: 0, ties: 'standard' } as const;
      const top = await naive.top(query);
      if (top.kind !== 'answer') throw new InvariantError('naive', 'the naive model is never lost');
      const expected = top.rows.map(({ userId, score, name }) => `${userId} ${score} ${name}`);
      const held = scores
        .filter((row) => row.board === board && row.period === period)
        .sort(
          (a, b) =>
            (a.standing as number) - (b.standing as number) ||
            (a.reached_at as number) - (b.reached_at as number) ||
            ((a.reached_by as string) < (b.reached_by as string) ? -1 : 1),
        )
        .map((row) => `${row.user_id} ${row.score} ${nameOf.get(row.user_id as Cell) ?? null}`);
      if (canonicalJson(held) !== canonicalJson(expected)) {
        const detail = `${board} ${period}: ${held} is not ${expected}`;
        throw new InvariantError('naive', detail);
      }
    }
  }
}

/** Whether the live generation has seen all that is in the log. */
export async function isCaughtUp(
  store: ProjectionStore,
  generation: number | undefined,
  log: EventLog,
): Promise<boolean> {
  if (generation === undefined) return false;
  const open = await store.open(generation);
  if (open === 'lost') return false;
  const head = (await log.read('start', { categories: leaderboardProjection.categories })).events;
  const reached = await open.checkpoint();
  return head.every(({ partition, position }) => coversAll(reached, { [partition]: position }));
}

/** One text for the whole outcome: log and rows. */
export async function fingerprint(
  log: EventLog,
  rows: ReadonlyMap<string, readonly string[]>,
): Promise<string> {
  const hash = new LogHash();
  for (const event of await allEvents(log)) hash.add(event);
  return sha256(canonicalJson([hash.digest(), [...rows]]));
}
