import { erasureStream } from '@annals/subject-keys';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { leaderboardProjection } from './projections/leaderboard.ts';
import {
  boardStream,
  bucketOf,
  playerOfSubject,
  playerStream,
  playerSubject,
  scoresStream,
} from './streams.ts';

const shareOf = (stream: string) => leaderboardProjection.shareKey?.(stream);

describe('the streams of the leaderboard', () => {
  test('a bucket is FNV-1a of the user id, by its published vectors', () => {
    // http://www.isthe.com/chongo/src/fnv/test_fnv.c, 32 bits: "", "a", "foobar".
    expect(bucketOf('', 2 ** 32)).toBe(0x811c9dc5);
    expect(bucketOf('a', 2 ** 32)).toBe(0xe40c292c);
    expect(bucketOf('foobar', 2 ** 32)).toBe(0xbf9cf968);
  });

  test('buckets never change: these are in logs', () => {
    const users = ['ann', 'bob', 'Ωμέγα', '😀', 'user-000001'];
    expect(users.map((user) => bucketOf(user, 64))).toEqual([24, 20, 5, 8, 18]);
  });

  test('players are dealt evenly', () => {
    const counts = new Array<number>(64).fill(0);
    for (let n = 0; n < 64_000; n += 1) {
      const bucket = bucketOf(`user-${n}`, 64);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(800);
    expect(Math.max(...counts)).toBeLessThan(1_200);
  });

  test('a subject names its player', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (user) => {
        expect(playerOfSubject(playerSubject(user))).toBe(user);
      }),
    );
    expect(playerOfSubject('payer:ann')).toBeUndefined();
    expect(playerOfSubject('players:ann')).toBeUndefined();
  });

  test('of one player share a worker', () => {
    expect(shareOf(playerStream('ann'))).toBe(shareOf(erasureStream(playerSubject('ann'))));
    expect(shareOf(playerStream('ann'))).not.toBe(shareOf(playerStream('bob')));
    expect(shareOf(scoresStream('default', 3))).toBe('scores-default~3');
  });

  test('are named by board and bucket', () => {
    expect(boardStream('a-b')).toBe('board-a-b');
    expect(scoresStream('a-b', 7)).toBe('scores-a-b~7');
  });
});
