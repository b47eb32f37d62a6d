import type { Clock, SubjectCipher } from '@annals/core';
import {
  type Checkpoint,
  covers,
  type EventLog,
  encodeCheckpoint,
  partitionsOf,
} from '@annals/event-log';
import type { GenerationDirectory } from '../generations/directory.ts';
import type { Until } from '../generations/events.ts';
import { openGeneration } from '../generations/make-generation.ts';
import type { Generation, ProjectionState } from '../generations/state.ts';
import type { FailurePolicy, Projection } from '../projection.ts';
import { divergence } from '../projector/log-tail.ts';
import type { Observe } from '../projector/share-status.ts';
import type { ShareEnd } from '../projector/share-work.ts';
import { ShareWorker } from '../projector/share-worker.ts';
import { type GenerationStore, type ProjectionStore, StoreLostError } from '../store.ts';

/** What every operation on a projection needs. */
export interface Operation {
  readonly log: EventLog;
  readonly store: ProjectionStore;
  readonly projection: Projection;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  /** Names this process in leases and in the log. */
  readonly holder: string;
  readonly signal?: AbortSignal | undefined;
  /** When given, an operation that changes the generations resolves once this directory has seen it. */
  readonly directory?: GenerationDirectory | undefined;
}

/** How often something that another process does is looked at again. */
export const pollMs = 50;

/**
 * Runs `use` on an open generation and closes it, whatever happens. `lost` also when it is dropped, or its
 * store goes, while it is used.
 */
export async function withGeneration<T>(
  { store, projection }: Pick<Operation, 'store' | 'projection'>,
  generation: Pick<Generation, 'generation' | 'id'>,
  use: (opened: GenerationStore) => Promise<T>,
): Promise<T | 'lost'> {
  const found = await openGeneration(store, projection.name, generation);
  if (found.kind === 'lost') return 'lost';
  try {
    return await use(found.opened);
  } catch (error) {
    if (error instanceof StoreLostError) return 'lost';
    throw error;
  } finally {
    await found.opened.close();
  }
}

export interface SharesRun {
  readonly generation: Pick<Generation, 'generation' | 'id' | 'workers'>;
  readonly state: ProjectionState;
  readonly onFailure: FailurePolicy;
  readonly until?: Until | undefined;
  readonly throttleShare?: number | undefined;
  readonly waitsForLease?: boolean;
  readonly observe?: Observe | undefined;
}

/**
 * Runs all shares of a generation in this process until each has caught up, or stands at `until`.
 * The first one that ends otherwise stops the others, and its end is returned.
 */
export async function runShares(operation: Operation, run: SharesRun): Promise<ShareEnd> {
  const { log, cipher, projection, store, holder, clock, signal } = operation;
  const { state, onFailure, until, throttleShare, observe } = run;
  const { generation, id, workers } = run.generation;
  const stop = new AbortController();
  const onAbort = () => stop.abort();
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  let trouble: ShareEnd | undefined;
  const ends = await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      const share = new ShareWorker({
        ...{ log, cipher, projection, store, generation, id, worker, workers, holder, clock },
        ...{ observe, onFailure, until, throttleShare },
        signal: stop.signal,
        control: () => state,
        mode: 'build',
        waitsForLease: run.waitsForLease ?? false,
      });
      const end = await share.run();
      if (end.kind === 'finished') return end;
      trouble ??= end;
      stop.abort();
      return end;
    }),
  );
  signal?.removeEventListener('abort', onAbort);
  return trouble ?? (ends[0] as ShareEnd);
}

/** Whether nothing of the projection's categories lies between a generation's checkpoint and `target`. */
export async function standsAt(
  { log, projection }: Operation,
  checkpoint: Checkpoint,
  target: Checkpoint,
): Promise<boolean> {
  for (const partition of partitionsOf(target)) {
    const wanted = target[partition] as string;
    if (covers(checkpoint, partition, wanted)) continue;
    // A checkpoint need not move over events that the projection does not follow.
    const filter = { categories: projection.categories, partitions: [partition] };
    const page = await log.read(checkpoint, filter, { limit: 1 });
    const next = page.events[0];
    if (next && next.position <= wanted) return false;
  }
  return true;
}

/** Why the log is not the one that a generation was folded from, as the end of a sentence; undefined when it is. */
export async function divergenceOf(
  { log, projection }: Pick<Operation, 'log' | 'projection'>,
  opened: GenerationStore,
): Promise<string | undefined> {
  for (const share of await opened.shares()) {
    const reason = await divergence(log, projection.categories, share);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/**
 * The ids of the generations that were folded from what the log does not hold. Asked when a process
 * starts that reads them: a log is put in the place of another one only while nobody has it open.
 */
export async function divergedGenerations(
  operation: Pick<Operation, 'log' | 'projection' | 'store'>,
  state: ProjectionState,
): Promise<ReadonlySet<string>> {
  const diverged = new Set<string>();
  for (const one of state.generations.values()) {
    if (one.dropped) continue;
    const reason = await withGeneration(operation, one, (opened) =>
      divergenceOf(operation, opened),
    );
    if (reason !== undefined && reason !== 'lost') diverged.add(one.id);
  }
  return diverged;
}

export type Brought =
  | { readonly kind: 'there' }
  | { readonly kind: 'behind' | 'lost' }
  | { readonly kind: 'halted' | 'diverged'; readonly detail: string };

/**
 * Waits until a generation stands at `target`: the projector brings it there, or, when none holds
 * its leases, this process does.
 */
export async function bringTo(
  operation: Operation,
  generation: Generation,
  state: ProjectionState,
  target: Checkpoint,
  deadline: number,
): Promise<Brought> {
  const { clock, signal, projection } = operation;
  for (;;) {
    const there = await withGeneration(operation, generation, async (opened) =>
      standsAt(operation, await opened.checkpoint(), target),
    );
    if (there === 'lost') return { kind: 'lost' };
    if (there) return { kind: 'there' };
    if (signal?.aborted || clock.now() >= deadline) return { kind: 'behind' };
    if (generation.version === projection.version) {
      const until = { checkpoint: encodeCheckpoint(target) };
      const { onFailure } = projection;
      const end = await runShares(operation, { generation, state, until, onFailure });
      if (end.kind === 'halted') return { kind: 'halted', detail: end.halt.detail };
      if (end.kind === 'diverged') return end;
    }
    await clock.sleep(pollMs, signal);
  }
}

/** Waits until the directory of this process knows what the log says, so that reads after it do too. */
export async function seenByDirectory(operation: Operation, state: ProjectionState): Promise<void> {
  const { directory, projection, clock, signal } = operation;
  if (!directory) return;
  for (;;) {
    const seen = directory.state(projection.name);
    if (seen.revision >= state.revision || signal?.aborted || directory.failure()) return;
    await clock.sleep(pollMs, signal);
  }
}
