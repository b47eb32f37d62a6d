import { randomUUID } from 'node:crypto';
import { type Borders, readBorders, writeBorders } from './borders.ts';
import type { Argument, Script } from './connection.ts';
import { storeError } from './errors.ts';
import { limits } from './limits.ts';
import type { ShardNames } from './names.ts';
import { ListWriter } from './piece-writer.ts';
import {
  beginChangeScript,
  changeSetsScript,
  endChangeScript,
  joinChangeScript,
  keepChangeScript,
} from './range-scripts.ts';
import { listOf, someText, textOf, wordOf } from './replies.ts';
import { areEqual, type Shards } from './shards.ts';
import type { SetPlace } from './table-layout.ts';

/** Some places of one group go over a border into the shard beside theirs. */
export interface Move {
  readonly kind: 'move';
  readonly key: string;
  readonly from: number;
  readonly to: number;
  /** The scores that go, as Redis takes bounds; and how many places have them. */
  readonly least: string;
  readonly most: string;
  readonly count: number;
  /** All borders of the group afterwards. */
  readonly borders: string;
}

/** `rank`: all orders are made anew from the rows. `none`: it is not said yet what. */
export type Change = Move | { readonly kind: 'rank' } | { readonly kind: 'none' };

/** A change that is under way, by whoever has its id. */
export interface Begun {
  readonly id: string;
  readonly change: Change;
  /** Somebody else had begun it: some shards may have ended it already. */
  readonly isTaken: boolean;
}

/** What the shards say of their borders. */
interface Marks {
  readonly versions: readonly number[];
  readonly isMoving: boolean;
  readonly building: readonly (string | undefined)[];
}

export async function borderMarks(shards: Shards): Promise<Marks> {
  const states = await shards.states(['borders', 'moving', 'building']);
  return {
    versions: states.map(([version]) => Number(version ?? 0)),
    isMoving: states.some(([, moving]) => moving !== undefined),
    building: states.map(([, , building]) => building),
  };
}

/**
 * Begins a change: from now on no batch is taken before it has ended. Only where all shards stand at one
 * checkpoint, which the first shard compares in the same step. One that was cut off is gone on with
 * instead. Undefined where batches are under way, or somebody else changes borders.
 */
export async function beginChange(shards: Shards): Promise<Begun | undefined> {
  const stamps = await shards.stamps();
  if (!areEqual(stamps)) return undefined;
  const id = randomUUID();
  const batches = (stamps[0] ?? []).map(({ batch }) => batch);
  const change: Change = { kind: 'none' };
  const args = [id, limits.borderChangeMsMax, JSON.stringify(change), batches.length, ...batches];
  const reply = await shards.run(shards.first, beginChangeScript, [], args);
  const word = wordOf(reply);
  if (word === 'busy') return undefined;
  return { id, change: JSON.parse(textOf(reply[1] ?? null)), isTaken: word === 'taken' };
}

/** Says that a change is still under way; and what it does, where that is known now. */
export async function keepChange(shards: Shards, id: string, change?: Change): Promise<void> {
  const args = [id, limits.borderChangeMsMax, change ? JSON.stringify(change) : ''];
  await runStep(shards, shards.first, keepChangeScript, [], args);
}

/** The shards that had ended this change already are the others of `joined`. */
export async function joinAll(shards: Shards, id: string, version: number): Promise<boolean[]> {
  const [, ...others] = shards.names;
  const said = await Promise.all(
    others.map((names) => shards.run(names, joinChangeScript, [], [id, version])),
  );
  return [true, ...said.map((reply) => wordOf(reply) === 'joined')];
}

/** Ends a change in all shards, in the first one last: whoever finds it there knows that it must go on. */
export async function endAll(
  shards: Shards,
  id: string,
  end: { readonly version: number; readonly building: '' | '0'; readonly pairs: readonly string[] },
): Promise<void> {
  const list = new ListWriter();
  list.texts(end.pairs);
  const pairs = list.cells.take();
  const args = [id, end.version, end.building, pairs];
  const one = (names: ShardNames) =>
    runStep(shards, names, endChangeScript, [names.borders], args, 'ended');
  const [first, ...others] = shards.names as [ShardNames, ...ShardNames[]];
  await Promise.all(others.map(one));
  await one(first);
  shards.borders.seen(String(end.version));
}

/** What happens to one set of a shard in a step. */
export interface SetStep {
  /** Without the shard's tag. */
  readonly key: string;
  readonly come: readonly SetPlace[];
  readonly gone?: { readonly least: string; readonly most: string };
}

export async function changeSets(
  shards: Shards,
  id: string,
  names: ShardNames,
  steps: readonly SetStep[],
): Promise<void> {
  if (steps.length === 0) return;
  const list = new ListWriter();
  list.end(list.begin(), steps.length);
  for (const { come, gone } of steps) {
    list.end(list.begin(), 3);
    list.end(list.begin(), 2 * come.length);
    for (const { score, member } of come) {
      list.text(String(score));
      list.bytes(member);
    }
    list.text(gone?.least ?? '');
    list.text(gone?.most ?? '');
  }
  const keys = steps.map(({ key }) => names.tag + key);
  await runStep(shards, names, changeSetsScript, keys, [id, list.cells.take()]);
}

/** Throws where somebody else has taken the change over. */
export async function runStep(
  shards: Shards,
  names: ShardNames,
  script: Script,
  keys: readonly string[],
  args: readonly Argument[],
  word?: string,
): Promise<void> {
  const said = wordOf(await shards.run(names, script, keys, args));
  if (said !== 'gone' && (word === undefined || said === word)) return;
  throw storeError('busy', `${shards.connection.place}: somebody else changes the borders`);
}

/**
 * Carries a move out: the places come first and go then, so that none is ever missing. Done again from the
 * beginning it comes to the same. False where places are not what they were: a failover lost some.
 */
export async function carryOutMove(
  shards: Shards,
  id: string,
  move: Move,
  version: number,
): Promise<boolean> {
  const joined = await joinAll(shards, id, version);
  const { key, from, to, least, most, count } = move;
  const [source, target] = [shards.names[from], shards.names[to]] as [ShardNames, ShardNames];
  // A shard ends a change when all its steps are done.
  if (joined[from] && joined[to]) {
    for (let offset = 0; ; offset += limits.borderStepPlaces) {
      const come = await placesBetween(shards, source.tag + key, least, most, offset);
      if (come.length === 0) break;
      await changeSets(shards, id, target, [{ key, come }]);
      await keepChange(shards, id);
    }
    if ((await countIn(shards, target.tag + key, move)) !== count) return false;
    await changeSets(shards, id, source, [{ key, come: [], gone: { least, most } }]);
  }
  // Also where it was ended by one that is gone: a failover may have brought its beginning back since.
  const [left, there] = await Promise.all([
    countIn(shards, source.tag + key, move),
    countIn(shards, target.tag + key, move),
  ]);
  if (left !== 0 || there !== count) return false;
  await endAll(shards, id, { version, building: '', pairs: [key, move.borders] });
  return true;
}

async function countIn(
  { connection }: Shards,
  set: string,
  { least, most }: Move,
): Promise<number> {
  return Number(await connection.call('ZCOUNT', set, least, most));
}

async function placesBetween(
  { connection }: Shards,
  set: string,
  least: string,
  most: string,
  offset: number,
): Promise<SetPlace[]> {
  const page = ['LIMIT', offset, limits.borderStepPlaces, 'WITHSCORES'];
  const reply = listOf(await connection.call('ZRANGE', set, least, most, 'BYSCORE', ...page));
  const places: SetPlace[] = [];
  for (let n = 0; n + 1 < reply.length; n += 2) {
    places.push({ member: reply[n] as Buffer, score: Number(textOf(reply[n + 1] ?? null)) });
  }
  return places;
}

/** The borders of a group with one of them moved. */
export function withBorder(borders: Borders, border: number, score: number): string {
  const text = writeBorders(borders.with(border, score));
  readBorders(text, borders.length + 1);
  return text;
}

/** A number that Redis answered; 0 for nothing. */
export function numberOf(reply: Parameters<typeof someText>[0]): number {
  return Number(someText(reply) ?? 0);
}
