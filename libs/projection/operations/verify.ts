import type { Clock } from '@annals/core';
import {
  advance,
  type Checkpoint,
  coversAll,
  encodeCheckpoint,
  partitionsOf,
} from '@annals/event-log';
import { deadLetterTable } from '../dead-letters.ts';
import { decideAndAppend, readControl } from '../generations/control-stream.ts';
import {
  decideVerified,
  existing,
  newestRebuilt,
  type Refused,
  refused,
} from '../generations/decide.ts';
import type { Verification } from '../generations/events.ts';
import { openGeneration } from '../generations/make-generation.ts';
import { type Generation, liveGeneration, type ProjectionState } from '../generations/state.ts';
import { memoryProjectionStore } from '../memory-projection-store.ts';
import type { Table } from '../projection.ts';
import { generationSpec } from '../shares.ts';
import type { GenerationSnapshot, GenerationStore, ProjectionStore } from '../store.ts';
import { differingRows, type RowDifference, type TableDigest, tableDigest } from './compare.ts';
import {
  type Brought,
  bringTo,
  divergenceOf,
  type Operation,
  runShares,
  seenByDirectory,
  standsAt,
} from './operation.ts';

export interface VerifyOptions extends Operation {
  /** The newest rebuilt one unless told. */
  readonly generation?: number | undefined;
  /**
   * Compares with a second, independent fold of the log instead of the live generation. Also done when
   * the live one is lost, or the log does not bear it out any more: then the log is all there is to compare with.
   */
  readonly refold?: boolean | undefined;
  /** Makes the store that a second fold goes to. Unless told all its rows are in memory. */
  readonly scratch?: (() => ScratchStore) | undefined;
  /** How long both generations may be held back while they come to one checkpoint; 30,000 unless told. */
  readonly holdMs?: number | undefined;
  /** Differing rows shown; 10 unless told. */
  readonly differencesMax?: number | undefined;
}

/** A store for rows that are needed once. */
export interface ScratchStore {
  readonly store: ProjectionStore;
  /** Closes it and leaves nothing of it. */
  remove(): Promise<void>;
}

/** Why a generation was not compared with the live one. */
export type NotCompared =
  | 'no-live'
  | 'is-live'
  | 'live-lost'
  | 'live-diverged'
  | 'live-other-version'
  | 'frozen';

export interface VerifyReport {
  readonly generation: number;
  /** What it was compared with; undefined when only its own consistency was checked, for the reason given. */
  readonly against: number | 'refold' | undefined;
  readonly notCompared: NotCompared | undefined;
  readonly checkpoint: Checkpoint;
  readonly tables: readonly TableDigest[];
  /** Those of the other side, in the same order; empty when there was none. */
  readonly otherTables: readonly TableDigest[];
  readonly differences: readonly RowDifference[];
  /** What is wrong with what the stores derive from rows, in words. */
  readonly problems: readonly string[];
  /** Dead letters in the generation, and in the live one compared with it: such rows are behind. */
  readonly parked: number;
  readonly otherParked: number | undefined;
}

export type VerifyOutcome =
  /** Everything that was checked is right. */
  | ({ readonly kind: 'verified' } & VerifyReport)
  | ({ readonly kind: 'different' } & VerifyReport)
  /** The two did not come to one checkpoint in time. */
  | { readonly kind: 'not-reached'; readonly generation: number; readonly detail: string }
  | Refused;

const holdMsDefault = 30_000;
const differencesDefault = 10;

/**
 * Checks a rebuilt generation: holds it and the live one at one checkpoint (bounded; appends go on),
 * compares counts and an order-independent hash of every table, and shows the rows that differ. The
 * result is recorded in the log. Dead letters are not compared: when they came is not a matter of rows.
 */
export async function verify(options: VerifyOptions): Promise<VerifyOutcome> {
  const { log, projection } = options;
  const { state } = await readControl(log, projection.name);
  const chosen = chosenGeneration(options, state);
  if (chosen.kind === 'refused') return chosen;
  const { generation } = chosen;
  const found = await openGeneration(options.store, projection.name, generation);
  if (found.kind === 'lost') return refused('lost', `${found.detail}: rebuild`);
  const { opened } = found;
  try {
    const live = await openLive(options, state, generation);
    try {
      const seen = await seenOf(options, state, [generation, opened], live);
      if ('kind' in seen) return { ...seen, generation: generation.generation };
      try {
        return await judge(options, generation, seen.snapshots, seen.live);
      } finally {
        for (const snapshot of seen.snapshots) await snapshot?.close();
      }
    } finally {
      if (live.kind === 'open') await live.store.close();
    }
  } finally {
    await opened.close();
  }
}

type Chosen = { readonly kind: 'chosen'; readonly generation: Generation } | Refused;

function chosenGeneration(
  { generation: asked, projection }: VerifyOptions,
  state: ProjectionState,
): Chosen {
  const held = asked === undefined ? newestRebuilt(state) : existing(state, asked);
  if (!held) {
    const detail = `${projection.name} has no rebuilt generation beside the live one: rebuild first`;
    return refused('no-generation', detail);
  }
  if ('kind' in held) return held;
  if (!held.rebuilt) {
    return refused('not-rebuilt', `the rebuild of ${projection.name} g${asked} is not finished`);
  }
  if (held.version === projection.version) return { kind: 'chosen', generation: held };
  const detail =
    `${projection.name} g${held.generation} was made by version ${held.version} of the projection, ` +
    `this program has version ${projection.version}`;
  return refused('other-version', detail);
}

type Live =
  | { readonly kind: 'open'; readonly generation: Generation; readonly store: GenerationStore }
  | { readonly kind: 'none'; readonly why: NotCompared | undefined };

/** The live generation, where it can be compared with. */
async function openLive(
  options: VerifyOptions,
  state: ProjectionState,
  generation: Generation,
): Promise<Live> {
  if (options.refold) return { kind: 'none', why: undefined };
  if (generation.until) return { kind: 'none', why: 'frozen' };
  const number = liveGeneration(state);
  const live = number === undefined ? undefined : state.generations.get(number);
  if (!live) return { kind: 'none', why: 'no-live' };
  if (live.generation === generation.generation) return { kind: 'none', why: 'is-live' };
  if (live.version !== generation.version) return { kind: 'none', why: 'live-other-version' };
  const found = await openGeneration(options.store, options.projection.name, live);
  if (found.kind === 'lost') return { kind: 'none', why: 'live-lost' };
  return { kind: 'open', generation: live, store: found.opened };
}

/** The snapshots to judge by, and what they are of: one only, where the live generation is no measure. */
async function seenOf(
  options: VerifyOptions,
  state: ProjectionState,
  [generation, opened]: readonly [Generation, GenerationStore],
  live: Live,
): Promise<
  | { readonly snapshots: readonly [GenerationSnapshot, GenerationSnapshot?]; readonly live: Live }
  | NotReached
> {
  if (live.kind === 'none') return { snapshots: [await opened.snapshot()], live };
  if ((await divergenceOf(options, live.store)) !== undefined) {
    const alone = { kind: 'none', why: 'live-diverged' } as const;
    return { snapshots: [await opened.snapshot()], live: alone };
  }
  const generations = [generation, live.generation] as const;
  const seen = await snapshotsAtOneCheckpoint(options, state, generations, [opened, live.store]);
  return 'kind' in seen ? seen : { snapshots: seen, live };
}

type Pair<T> = readonly [T, T];
type NotReached = { readonly kind: 'not-reached'; readonly detail: string };

/**
 * Holds both at one checkpoint and takes a snapshot of each. The first hold keeps them from going on;
 * what they reached before it took effect is covered by the second, which nothing has passed.
 */
async function snapshotsAtOneCheckpoint(
  options: VerifyOptions,
  state: ProjectionState,
  generations: Pair<Generation>,
  stores: Pair<GenerationStore>,
): Promise<Pair<GenerationSnapshot> | NotReached> {
  const { log, clock, holdMs = holdMsDefault } = options;
  const deadline = clock.now() + holdMs;
  const holdBoth = async (at: Checkpoint) => {
    for (const store of stores) await store.hold(at, deadline);
  };
  try {
    await holdBoth(await log.head());
    const target = furthest([
      await log.head(),
      ...(await stores[0].shares()).map(({ checkpoint }) => checkpoint),
      ...(await stores[1].shares()).map(({ checkpoint }) => checkpoint),
    ]);
    await holdBoth(target);
    for (const generation of generations) {
      const brought = await bringTo(options, generation, state, target, deadline);
      if (brought.kind !== 'there') return notReached(generation, brought, holdMs);
    }
    const snapshots = [await stores[0].snapshot(), await stores[1].snapshot()] as const;
    const moved = await movedFrom(options, target, stores, snapshots);
    if (clock.now() < deadline && moved === undefined) return snapshots;
    for (const snapshot of snapshots) await snapshot.close();
    return moved ?? notReached(generations[0], { kind: 'behind' }, holdMs);
  } finally {
    for (const store of stores) await store.unhold();
  }
}

/**
 * Whether a snapshot may show another moment than `target`: somebody else's operation on the same
 * generation lets its hold go with its own, and a store may have gone back. Checkpoints only grow
 * otherwise, so a worker that is not past the target now was not past it when the snapshot was taken.
 */
async function movedFrom(
  options: VerifyOptions,
  target: Checkpoint,
  stores: Pair<GenerationStore>,
  snapshots: Pair<GenerationSnapshot>,
): Promise<NotReached | undefined> {
  for (const [index, store] of stores.entries()) {
    const { checkpoint } = snapshots[index] as GenerationSnapshot;
    const shares = await store.shares();
    const wentOn = shares.some((share) => !coversAll(target, share.checkpoint));
    if (!wentOn && (await standsAt(options, checkpoint, target))) continue;
    const detail = `g${store.spec.generation} did not stay at the checkpoint: is another operation at work?`;
    return { kind: 'not-reached', detail };
  }
  return undefined;
}

function furthest(checkpoints: readonly Checkpoint[]): Checkpoint {
  let joined: Checkpoint = {};
  for (const checkpoint of checkpoints) {
    for (const one of partitionsOf(checkpoint)) {
      joined = advance(joined, one, checkpoint[one] as string);
    }
  }
  return joined;
}

function notReached({ generation }: Generation, brought: Brought, holdMs: number): NotReached {
  const late = `did not come to the checkpoint within ${holdMs} ms: is a projector behind or halted?`;
  const reason =
    'detail' in brought
      ? `is halted: ${brought.detail}`
      : brought.kind === 'lost'
        ? 'was lost meanwhile'
        : late;
  return { kind: 'not-reached', detail: `g${generation} ${reason}` };
}

/** Compares the snapshots, or the only one with a second fold where that was asked for; records the result. */
async function judge(
  options: VerifyOptions,
  generation: Generation,
  [snapshot, liveSnapshot]: readonly [GenerationSnapshot, GenerationSnapshot?],
  live: Live,
): Promise<VerifyOutcome> {
  const refolds =
    options.refold ||
    (live.kind === 'none' && (live.why === 'live-lost' || live.why === 'live-diverged'));
  if (!refolds) return judgeWith(options, generation, [snapshot, liveSnapshot], live, undefined);
  const { store, remove } = options.scratch?.() ?? inMemory(options.clock);
  try {
    const refolded = await refold({ ...options, store }, generation, snapshot);
    if ('kind' in refolded) return { ...refolded, generation: generation.generation };
    try {
      return await judgeWith(options, generation, [snapshot, undefined], live, refolded);
    } finally {
      await refolded.close();
    }
  } finally {
    await remove();
  }
}

function inMemory(clock: Clock): ScratchStore {
  return { store: memoryProjectionStore({ clock }), remove: async () => undefined };
}

async function judgeWith(
  options: VerifyOptions,
  generation: Generation,
  [snapshot, liveSnapshot]: readonly [GenerationSnapshot, GenerationSnapshot | undefined],
  live: Live,
  refolded: GenerationSnapshot | undefined,
): Promise<VerifyOutcome> {
  const other = liveSnapshot ?? refolded;
  const { checkpoint } = snapshot;
  const compared = await compare(options, snapshot, other);
  const problems = [...(await snapshot.problems())];
  for (const problem of (await liveSnapshot?.problems()) ?? []) problems.push(`live: ${problem}`);
  const against =
    live.kind === 'open' ? live.generation.generation : refolded && ('refold' as const);
  const report: VerifyReport = {
    generation: generation.generation,
    against,
    notCompared: live.kind === 'none' ? live.why : undefined,
    checkpoint,
    ...compared,
    problems,
    parked: await snapshot.count(deadLetterTable.name),
    otherParked: await liveSnapshot?.count(deadLetterTable.name),
  };
  const same = compared.differences.length === 0 && isSame(report);
  const refusal = await record(options, report, same);
  if (refusal) return refusal;
  return { kind: same && problems.length === 0 ? 'verified' : 'different', ...report };
}

function isSame({ tables, otherTables, against }: VerifyReport): boolean {
  if (against === undefined) return true;
  return tables.every(({ rows, hash }, index) => {
    return otherTables[index]?.rows === rows && otherTables[index]?.hash === hash;
  });
}

async function compare(
  { projection, differencesMax = differencesDefault }: VerifyOptions,
  snapshot: GenerationSnapshot,
  other: GenerationSnapshot | undefined,
) {
  const tables: TableDigest[] = [];
  const otherTables: TableDigest[] = [];
  const differences: RowDifference[] = [];
  for (const table of projection.tables) {
    const digest = await tableDigest(snapshot, table);
    tables.push(digest);
    if (!other) continue;
    const counterpart = await tableDigest(other, table);
    otherTables.push(counterpart);
    if (counterpart.hash === digest.hash && counterpart.rows === digest.rows) continue;
    const wanted = differencesMax - differences.length;
    differences.push(...(await differing(snapshot, other, table, wanted)));
  }
  return { tables, otherTables, differences };
}

async function differing(
  snapshot: GenerationSnapshot,
  other: GenerationSnapshot,
  table: Table,
  wanted: number,
): Promise<readonly RowDifference[]> {
  return wanted > 0 ? differingRows(snapshot, other, table, wanted) : [];
}

/** The projection folded once more from the log, up to the same checkpoint, into `store`. */
async function refold(
  options: VerifyOptions,
  generation: Generation,
  { checkpoint }: GenerationSnapshot,
): Promise<GenerationSnapshot | NotReached> {
  const { projection, log, store } = options;
  const whole = { generation: generation.generation, id: generation.id, workers: 1 };
  await store.create(generationSpec(projection, whole));
  const { state } = await readControl(log, projection.name);
  const until = { checkpoint: encodeCheckpoint(checkpoint) };
  const { onFailure } = projection;
  const end = await runShares(options, { generation: whole, state, until, onFailure });
  if (end.kind === 'halted') return { kind: 'not-reached', detail: end.halt.detail };
  const opened = await store.open(generation.generation);
  if (end.kind !== 'finished' || opened === 'lost') {
    return { kind: 'not-reached', detail: `the second fold ended early: ${end.kind}` };
  }
  return opened.snapshot();
}

async function record(
  options: VerifyOptions,
  report: VerifyReport,
  same: boolean,
): Promise<Refused | undefined> {
  const { generation, against, checkpoint, tables, problems } = report;
  const result: Verification = {
    generation,
    ...(against === undefined ? {} : { against }),
    same,
    checkpoint: encodeCheckpoint(checkpoint),
    tables: [...tables],
    problems: problems.length,
  };
  const decided = await decideAndAppend(options, options.projection.name, (state) =>
    decideVerified(state, result),
  );
  if (decided.kind === 'refused') return decided;
  await seenByDirectory(options, decided.state);
  return undefined;
}
