import { describe, expect, test } from 'vitest';
import { GameSite, gameProjection } from '../testing/game.ts';

describe('a projector', () => {
  test('makes the first generation of a projection, live at once, and follows the log', async () => {
    const site = new GameSite();
    await site.score('ann', 3);
    const projector = site.start([gameProjection()]);
    await site.clock.advance(100);
    expect(projector.directory.live('game')).toBe(1);
    expect((await site.rows(1)).totals).toEqual(['{"player":"ann","points":3,"games":1}']);
    await site.score('ann', 4);
    await site.score('bob', 1);
    await site.clock.advance(100);
    expect((await site.rows(1)).totals).toEqual([
      '{"player":"ann","points":7,"games":2}',
      '{"player":"bob","points":1,"games":1}',
    ]);
    const [status] = projector.status();
    expect(status).toMatchObject({ kind: 'followed', isLive: true, generation: 1 });
    expect(status?.kind === 'followed' && status.shares[0]).toMatchObject({
      state: 'live',
      caughtUp: true,
      events: 3,
      checkpoint: await site.log.head(),
    });
    await projector.stop();
  });
});
