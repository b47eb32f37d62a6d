import type { GenerationStatus } from '@annals/projection';
import { expect, test } from 'vitest';
import { readinessOfProjector } from './projector-readiness.ts';

const live = { projection: 'leaderboard', generation: 1, isLive: true } as const;
const share = {
  ...{ projection: 'leaderboard', generation: 1, worker: 0, leased: false, caughtUp: false },
  ...{ checkpoint: {}, parked: [], detail: undefined, events: 0, batches: 0, errors: 0 },
  ...{ lastBatchEvents: undefined, lastBatchRows: undefined, lastRecordedAt: undefined },
} as const;

function readinessAt(...generations: GenerationStatus[]) {
  return readinessOfProjector({ status: () => generations }).check();
}

test('a projector is ready where its shares are live, or another process works on them', () => {
  for (const state of ['live', 'waiting', 'catching-up'] as const) {
    const followed = { ...live, kind: 'followed', shares: [{ ...share, state }] } as never;
    expect(readinessAt(followed)).toEqual({ kind: 'ready' });
  }
  expect(readinessAt()).toMatchObject({ kind: 'not-ready' });
});

test('one that cannot go on says why: its log has failed, say', () => {
  const failing = { ...share, state: 'failing', detail: 'events.sqlite: the disk is full' };
  const followed = { ...live, kind: 'followed', shares: [share, failing] } as never;
  expect(readinessAt(followed)).toEqual({
    kind: 'degraded',
    detail: 'leaderboard: events.sqlite: the disk is full',
  });
  expect(readinessAt({ ...(followed as GenerationStatus), isLive: false })).toEqual({
    kind: 'ready',
  });
});
