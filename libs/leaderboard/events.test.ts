import { readFileSync } from 'node:fs';
import { idFromKey } from '@annals/core';
import { categoryOf, type StoredEvent } from '@annals/event-log';
import {
  erasureEvent,
  erasureStream,
  memorySubjectKeyStore,
  subjectCipher,
} from '@annals/subject-keys';
import { describe, expect, test } from 'vitest';
import { scoreId } from './decide.ts';
import { leaderboardEvents } from './events.ts';
import { leaderboardProjection } from './projections/leaderboard.ts';
import { boardStream, playerStream, playerSubject, scoresStream } from './streams.ts';

type Encodable = Parameters<typeof leaderboardEvents.encode>[0][number];

/** 2026-11-24T12:00:00Z. */
const occurredAt = 1_795_521_600_000;
const closed = { board: 'default', period: '2026-11' };

/** One of each kind as it is written today. */
const samples: readonly Encodable[] = [
  {
    type: 'board-configured',
    id: idFromKey('board', 'default'),
    occurredAt,
    data: { board: 'default', operator: 'increment', order: 'desc', reset: 'monthly', buckets: 64 },
  },
  {
    type: 'score-recorded',
    id: scoreId('default', 'm1', 'ann'),
    occurredAt,
    data: {
      board: 'default',
      user_id: 'ann',
      match_id: 'm1',
      points: 3,
      period: '2026-11',
      operator: 'increment',
      order: 'desc',
    },
  },
  {
    type: 'score-recorded',
    id: scoreId('golf', 'm2', 'Ωμέγα'),
    occurredAt,
    data: {
      board: 'golf',
      user_id: 'Ωμέγα',
      match_id: 'm2',
      points: -1_000_000_000_000,
      period: '2026-W48',
      operator: 'best',
      order: 'asc',
      occurred_at: occurredAt,
    },
  },
  { type: 'period-close-started', id: idFromKey('started'), occurredAt, data: closed },
  { type: 'period-closed', id: idFromKey('closed'), occurredAt, data: closed },
  { type: 'period-close-completed', id: idFromKey('completed'), occurredAt, data: closed },
  {
    type: 'player-named',
    id: idFromKey('named'),
    occurredAt,
    data: { user_id: 'ann', name: 'Ann', picture: 'https://example.org/a.png' },
  },
  erasureEvent('player:ann', occurredAt),
  {
    type: 'period-archived',
    id: idFromKey('archived'),
    occurredAt,
    data: { ...closed, players: 2, hash: 'a'.repeat(64) },
  },
  {
    type: 'scores-archived',
    id: idFromKey('let-go'),
    occurredAt,
    data: { ...closed, user_ids: ['ann', 'bob'], revisions: [0, 3, 4] },
  },
];

/** Events as they were stored when the format was new: they are in logs, and must be read for ever. */
const fixtures: readonly Pick<
  StoredEvent,
  'id' | 'type' | 'schemaVersion' | 'data' | 'contentHash'
>[] = JSON.parse(readFileSync(new URL('fixtures/events-v1.json', import.meta.url), 'utf8'));

/** A cipher whose keys and nonces are always the same bytes, so that what it seals can be compared. */
function fixedCipher() {
  const randomBytes = (count: number) => Buffer.alloc(count, 7);
  const keys = memorySubjectKeyStore({ randomBytes });
  return { keys, cipher: subjectCipher(keys, { randomBytes }) };
}

function stored(event: (typeof fixtures)[number]): StoredEvent {
  const place = { stream: 'scores-x~1', revision: 0, partition: 0, position: '1' };
  return { ...event, ...place, occurredAt, recordedAt: occurredAt, metadata: {} };
}

describe('the stored formats', () => {
  test('are written today, byte for byte, as they were at first', async () => {
    const encoded = await leaderboardEvents.encode(samples, fixedCipher().cipher);
    const written = encoded.kind === 'encoded' ? encoded.events : [];
    const formats = written.map(({ occurredAt: _, ...format }) => format);
    expect(formats).toEqual(fixtures);
  });

  test('are read as what was meant', async () => {
    const { cipher } = fixedCipher();
    await cipher.keyring(['player:ann'], { create: true });
    const read = await leaderboardEvents.decode(fixtures.map(stored), cipher);
    expect(read.map(({ type, data }) => ({ type, data }))).toEqual(
      samples.map(({ type, data }) => ({ type, data })),
    );
  });

  test('hold no personal data in plain text, and none at all after the erasure', async () => {
    expect(JSON.stringify(fixtures)).not.toContain('Ann');
    expect(JSON.stringify(fixtures)).not.toContain('a.png');
    const { cipher, keys } = fixedCipher();
    await keys.create(['player:ann']);
    await keys.destroy(['player:ann']);
    const [named] = await leaderboardEvents.decode(
      fixtures.filter(({ type }) => type === 'player-named').map(stored),
      cipher,
    );
    expect(named).toMatchObject({ erased: true, data: { user_id: 'ann' } });
    expect(Object.keys(named?.data ?? {})).toEqual(['user_id']);
  });

  test('of every event type are among the fixtures', () => {
    expect(new Set(fixtures.map(({ type }) => type))).toEqual(new Set(leaderboardEvents.names));
  });

  test.each([
    [{ type: 'score-deleted' }, 'unknown-type'],
    [{ schemaVersion: 2 }, 'unknown-version'],
    [{ data: '{' }, 'invalid-data'],
  ])('%j stops the reader', async (change, code) => {
    const event = { ...stored(fixtures[1] as (typeof fixtures)[number]), ...change };
    await expect(leaderboardEvents.decode([event], fixedCipher().cipher)).rejects.toMatchObject({
      name: 'EventDecodeError',
      code,
    });
  });

  test('refuse to be written with a member too many', async () => {
    const [, score] = samples as [Encodable, Encodable];
    const wrong = { ...score, data: { ...score.data, extra: 1 } } as unknown as Encodable;
    await expect(leaderboardEvents.encode([wrong], fixedCipher().cipher)).rejects.toThrow();
  });
});

test('the projection reads every category the leaderboard writes', () => {
  const streams = [
    scoresStream('a', 0),
    boardStream('a'),
    playerStream('a'),
    erasureStream(playerSubject('a')),
  ];
  expect(streams.map(categoryOf)).toEqual(leaderboardProjection.categories);
});
