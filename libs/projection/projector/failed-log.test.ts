import type { EventLog } from '@annals/event-log';
import { EventLogError } from '@annals/event-log';
import { expect, test } from 'vitest';
import { GameSite, gameProjection, type ProjectorProcess } from '../testing/game.ts';

/** A log that throws from the moment it is told to, also in subscriptions that wait: as one whose replica has failed does. */
function breakable(log: EventLog) {
  const broken = new AbortController();
  const error = new EventLogError('disk-full', 'the disk is full');
  const failed = new Promise<never>((_, reject) => {
    broken.signal.addEventListener('abort', () => reject(error));
  });
  failed.catch(() => undefined);
  const throwing = <Arguments extends unknown[], Result>(call: (...args: Arguments) => Result) => {
    return (...args: Arguments) => {
      if (broken.signal.aborted) throw error;
      return call(...args);
    };
  };
  const wrapped: EventLog = {
    append: throwing(async (...how) => log.append(...how)),
    readStream: throwing(async (...how) => log.readStream(...how)),
    read: throwing(async (...how) => log.read(...how)),
    count: throwing(async (...how) => log.count(...how)),
    head: throwing(async () => log.head()),
    close: () => log.close(),
    subscribe: (...how) => ({
      [Symbol.asyncIterator]: () => {
        const deliveries = log.subscribe(...how)[Symbol.asyncIterator]();
        return {
          next: () => Promise.race([failed, deliveries.next()]),
          return: async () => ({ done: true, value: undefined }),
        };
      },
    }),
  };
  return { log: wrapped, fail: () => broken.abort() };
}

function shareOf(projector: ProjectorProcess) {
  const status = projector.status().find((one) => one.generation === 1);
  return status?.kind === 'followed' ? status.shares[0] : undefined;
}

test('a projector whose log has failed lets go of its shares, says why, and leaves them to one that can read', async () => {
  const site = new GameSite();
  const { log, fail } = breakable(site.log);
  const first = site.start([gameProjection()], { log });
  await site.score('ann', 1);
  await site.clock.advance(2_000);
  expect(shareOf(first)).toMatchObject({ state: 'live', leased: true });
  const second = site.start([gameProjection()]);
  await site.clock.advance(2_000);
  expect(shareOf(second)).toMatchObject({ state: 'waiting', leased: false });
  fail();
  await site.score('ann', 1);
  await site.clock.advance(3_000);
  expect(shareOf(second)).toMatchObject({ state: 'live', leased: true, events: 1 });
  expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
  // That another one has the lease is not what it should be asked about.
  await site.clock.advance(60_000);
  expect(shareOf(first)).toMatchObject({ state: 'failing', detail: 'the disk is full' });
  expect(shareOf(second)).toMatchObject({ state: 'live', leased: true });
  await first.stop();
  await second.stop();
});
