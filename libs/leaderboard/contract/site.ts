import type { ProjectionStore } from '@annals/projection';
import { onTestFinished } from 'vitest';
import type { LeaderboardReadModel } from '../read-model/port.ts';
import { HistoryFeeder } from './feeder.ts';

/** One place that holds the generations of the leaderboard, and reads them. */
export interface ReadModelSite {
  /** An empty store: the suite fills generation 1 of it. */
  store(): Promise<ProjectionStore>;
  /** The read model over generation 1, once it was built. */
  readModel(): Promise<LeaderboardReadModel>;
  /** Removes generation 1 behind whoever reads it. */
  lose(): Promise<void>;
  /** Removes the data. The stores are closed by then. */
  dispose(): Promise<void>;
}

/** What an adapter gives to `describeLeaderboardReadModel`. */
export interface ReadModelOpeners {
  site(): Promise<ReadModelSite>;
  /** Random histories the property test tries; 40 unless told. */
  readonly propertyRuns?: number;
}

export interface Opened {
  readonly site: ReadModelSite;
  readonly feeder: HistoryFeeder;
  readonly readModel: LeaderboardReadModel;
}

/** A fresh read model of an empty board, disposed of when the running test has finished. */
export async function openFresh(openers: ReadModelOpeners): Promise<Opened> {
  const opened = await openUntilClosed(openers);
  onTestFinished(() => opened.close());
  return opened;
}

export async function openUntilClosed(
  openers: ReadModelOpeners,
): Promise<Opened & { close(): Promise<void> }> {
  const site = await openers.site();
  const held = new AsyncDisposableStack();
  held.defer(() => site.dispose());
  try {
    const store = await site.store();
    held.defer(() => store.close());
    const feeder = await HistoryFeeder.begin(store);
    held.defer(() => feeder.close());
    const readModel = await site.readModel();
    return { site, feeder, readModel, close: () => held.disposeAsync() };
  } catch (error) {
    await held.disposeAsync();
    throw error;
  }
}
