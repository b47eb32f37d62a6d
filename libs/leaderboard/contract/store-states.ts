import { describe, expect, test } from 'vitest';
import type { LeaderboardReadModel } from '../read-model/port.ts';
import { openFresh, type ReadModelOpeners } from './site.ts';

const on = { board: 'b', period: '2026-11', order: 'desc' } as const;
const score = { ...on, operator: 'increment', match_id: 1 } as const;

function everyRead(readModel: LeaderboardReadModel) {
  const ties = 'standard';
  return [
    readModel.top({ ...on, limit: 10, offset: 0, ties }),
    readModel.standing({ ...on, userId: 'a', around: 4, ties }),
    readModel.ranks({ ...on, userIds: ['a'], ties }),
    readModel.entries([{ stream: 'scores-b~0', revision: 0 }]),
    readModel.history({ ...on, userId: 'a', stream: 'scores-b~0', from: undefined, limit: 10 }),
  ];
}

/** Personal data, checkpoints and lost stores. */
export function describeStoreStates(openers: ReadModelOpeners): void {
  describe('players', () => {
    test('have the name and picture they were given last, and none after their erasure', async () => {
      const { feeder, readModel } = await openFresh(openers);
      const rows = async () => {
        await feeder.commit();
        const answer = await readModel.top({ ...on, limit: 10, offset: 0, ties: 'standard' });
        return answer.kind === 'answer' ? answer.rows : [];
      };
      await feeder.score({ ...score, user_id: 'a', points: 3 });
      expect(await rows()).toMatchObject([{ userId: 'a', name: null, picture: null }]);
      await feeder.name('a', 'Ann', 'https://example.org/a.png');
      expect(await rows()).toMatchObject([{ name: 'Ann', picture: 'https://example.org/a.png' }]);
      await feeder.name('a', 'Anna');
      expect(await rows()).toMatchObject([{ name: 'Anna', picture: null }]);
      await feeder.erase('a');
      expect(await rows()).toMatchObject([{ userId: 'a', name: null, score: 3, rank: 1 }]);
      expect(await feeder.name('a', 'Ann')).toBe(false);
    });
  });

  describe('an erasure that is told before the key is destroyed', () => {
    test('holds against a name that still comes behind it', async () => {
      const { feeder, readModel } = await openFresh(openers);
      await feeder.score({ ...score, user_id: 'a', points: 3 });
      await feeder.name('a', 'Ann');
      await feeder.tellErasure('a');
      expect(await feeder.name('a', 'Ann again')).toBe(true);
      await feeder.commit();
      const answer = await readModel.top({ ...on, limit: 10, offset: 0, ties: 'standard' });
      expect(answer).toMatchObject({ rows: [{ userId: 'a', name: null, score: 3 }] });
    });
  });

  describe('checkpoints', () => {
    test('an answer names the checkpoint it is good for', async () => {
      const { feeder, readModel } = await openFresh(openers);
      for (let n = 0; n < 3; n += 1) {
        await feeder.score({ ...score, user_id: `u${n}`, points: n });
        const asOf = await feeder.commit();
        for (const answer of await Promise.all(everyRead(readModel))) {
          expect(answer).toMatchObject({ kind: 'answer', asOf });
        }
      }
    });

    test('waiting ends as soon as the answers cover the position', async () => {
      const { feeder, readModel } = await openFresh(openers);
      await feeder.score({ ...score, user_id: 'a', points: 3 });
      const head = await feeder.log.head();
      expect(await readModel.waitFor(head, 20)).toBe('late');
      const waiting = readModel.waitFor(head, 20_000);
      await feeder.commit();
      expect(await waiting).toBe('reached');
      expect(await readModel.waitFor(head, 20_000)).toBe('reached');
      expect(await readModel.waitFor({}, 20_000)).toBe('reached');
    });

    test('waiting ends when the caller gives up', async () => {
      const { feeder, readModel } = await openFresh(openers);
      await feeder.score({ ...score, user_id: 'a', points: 3 });
      const stop = new AbortController();
      const waiting = readModel.waitFor(await feeder.log.head(), 20_000, stop.signal);
      stop.abort();
      expect(await waiting).toBe('late');
    });
  });

  describe('a store that is gone', () => {
    test('is lost, not empty', async () => {
      const { site, feeder, readModel } = await openFresh(openers);
      await feeder.score({ ...score, user_id: 'a', points: 3 });
      const head = await feeder.commit();
      await site.lose();
      await expect
        .poll(() => Promise.all(everyRead(readModel)), { timeout: 10_000 })
        .toEqual(everyRead(readModel).map(() => ({ kind: 'lost' })));
      expect(await readModel.waitFor(head, 20_000)).toBe('lost');
    });
  });
}
