import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { sqliteEventLog } from '@annals/event-log-sqlite';
import { issueKey, revokeKey } from '@annals/iam';
import { dataLayout } from '@annals/projector';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { adminKey, type OpenPlatform, openPlatform } from './testing/open-platform.ts';
import { SettableClock } from './testing/settable-clock.ts';
import { until } from './testing/until.ts';
import { watchBoard } from './testing/watch-board.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let platform: OpenPlatform;
let match = 0;
beforeAll(async () => {
  platform = await openPlatform();
  for (const board of ['first', 'second', 'resume', 'slow', 'lost']) {
    await platform.call(`PUT /v1/leaderboards/${board}`, { body: {} });
  }
});
afterAll(() => platform.close());

async function score(leaderboard: string, user_id: string, points: number) {
  match += 1;
  const body = { leaderboard, user_id, points, match_id: `m${match}` };
  return (await platform.call('POST /v1/scores', { body })).body;
}

const watch = (board: string, query = '', headers = {}) =>
  watchBoard(`${platform.url}/v1/leaderboards/${board}/live${query}`, headers);

describe('GET /v1/leaderboards/{id}/live', () => {
  it('sends the top at once, and again as it changes', async () => {
    await score('first', 'ann', 5);
    const client = await watch('first', '?top=2');
    expect(client.contentType).toContain('text/event-stream');
    const first = await client.event('the board', ({ event }) => event === 'board');
    expect(first.data).toMatchObject({ players: 1, data: [{ user_id: 'ann', rank: 1, score: 5 }] });
    await score('first', 'bob', 7);
    await score('first', 'cid', 6);
    const changed = await client.event('the change', ({ data }) => data.players === 3);
    expect(changed.data.data.map((row: { user_id: string }) => row.user_id)).toEqual([
      'bob',
      'cid',
    ]);
    await client.close();
  });

  it("with user_id tells that player's rank, also from outside the top", async () => {
    const client = await watch('first', '?top=1&user_id=ann');
    const first = await client.event('the player', ({ data }) => data.player !== undefined);
    expect(first.data.player).toMatchObject({ user_id: 'ann', rank: 3, score: 5 });
    await score('first', 'ann', 3);
    const changed = await client.event('the new rank', ({ data }) => data.player.rank === 1);
    expect(changed.data.player).toMatchObject({ score: 8 });
    await client.close();
    const nobody = await watch('first', '?user_id=nobody');
    const shown = await nobody.event('the board', ({ event }) => event === 'board');
    expect(shown.data.player).toBeNull();
    await nobody.close();
  });

  it('says nothing when another board changes', async () => {
    const client = await watch('first');
    await client.event('the board', ({ event }) => event === 'board');
    const other = await watch('second');
    await score('second', 'zoe', 1);
    await other.event('the change', ({ data }) => data.players === 1);
    expect(client.seen).toHaveLength(1);
    await other.close();
    await client.close();
  });

  it('resumes with Last-Event-ID: nothing twice, nothing missed, nothing older', async () => {
    await score('resume', 'ann', 1);
    const client = await watch('resume');
    const last = await client.event('the board', ({ event }) => event === 'board');
    await client.close();
    const same = await watch('resume', '', { 'last-event-id': last.id as string });
    const { position } = await score('resume', 'ann', 1);
    const next = await same.event('the change', ({ event }) => event === 'board');
    expect(next.data.data[0].score).toBe(2);
    expect((next.id as string) >= position).toBe(true);
    await same.close();

    // Written while nobody watched: told at once.
    await score('resume', 'ann', 1);
    const missed = await watch('resume', '', { 'last-event-id': next.id as string });
    const told = await missed.event('what was missed', ({ event }) => event === 'board');
    expect(told.data.data[0].score).toBe(3);
    await missed.close();
    // As after a restore from a backup: the client saw what this log has lost.
    const ahead = String(next.id).replace(/\d+\//, (digits) => digits.replace(/^0/, '9'));
    expect(ahead).not.toBe(next.id);
    const lost = await watch('resume', '', { 'last-event-id': ahead });
    const board = await lost.event('the board', ({ event }) => event === 'board');
    expect(board.id).toBe(told.id);
    await lost.close();
    const strange = await watch('resume', '', { 'last-event-id': 'from another server' });
    await strange.event('the board', ({ event }) => event === 'board');
    await strange.close();
  });

  it('refuses what it does not know, before the stream begins', async () => {
    expect(await watch('nowhere')).toMatchObject({
      status: 404,
      contentType: expect.stringContaining('problem+json'),
    });
    expect((await watch('first', '?period=2026-W40')).status).toBe(400);
    expect((await watch('first', '?top=101')).status).toBe(400);
  });

  it('drops a client that does not read, and goes on with the others', async () => {
    const picture = `https://example.org/${'x'.repeat(2_000)}`;
    for (let player = 0; player < 100; player += 1) {
      await score('slow', `p${player}`, player);
      await platform.call(`PUT /v1/players/p${player}`, {
        body: { name: 'x'.repeat(100), picture },
      });
    }
    const { hostname, port } = new URL(platform.url);
    const deaf = connect(Number(port), hostname);
    deaf.on('error', () => undefined);
    await once(deaf, 'connect');
    deaf.pause();
    deaf.write(
      `GET /v1/leaderboards/slow/live?top=100 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${adminKey}\r\n\r\n`,
    );
    const reader = await watch('slow', '?top=100');
    let changes = 0;
    await until('the drop', async () => {
      changes += 1;
      await score('slow', 'p0', 1_000);
      const { body } = await platform.call('GET /metrics');
      return /^http_event_streams_dropped_total 1$/m.test(body) || undefined;
    });
    deaf.destroy();
    await score('slow', 'p1', 1_000_000);
    await reader.event('the change', ({ data }) => data.data[0].user_id === 'p1');
    expect(reader.hasEnded()).toBe(false);
    expect(changes).toBeGreaterThan(1);
    await reader.close();
  });

  it('ends, and says why, soon after its key is revoked', async () => {
    // Keys come from somebody else than the platform, as they do from the command line.
    const log = await sqliteEventLog({ folder: dataLayout(platform.folder).log });
    const request = { name: 'watcher', scopes: ['scores:read'], issuedBy: 'test' };
    const issued = await issueKey({ log }, request);
    if (issued.kind !== 'issued') throw new Error(issued.kind);
    const headers = { authorization: `Bearer ${issued.token}` };
    await until('the new key', async () => {
      const { status } = await platform.call('GET /v1/scores', { key: issued.token });
      return status === 200 || undefined;
    });
    const client = await watch('first', '', headers);
    const other = await watch('first');
    await client.event('the board', ({ event }) => event === 'board');
    await revokeKey({ log }, { keyId: issued.keyId, revokedBy: 'test' });
    const problem = await client.event('the reason', ({ event }) => event === 'problem');
    expect(problem.data).toMatchObject({ code: 'revoked-token' });
    await until('the end', () => client.hasEnded() || undefined);
    expect(other.hasEnded()).toBe(false);
    await other.close();
    await log.close();
  });

  it('tells watchers that the read model is lost', async () => {
    await score('lost', 'ann', 1);
    const client = await watch('lost');
    await client.event('the board', ({ event }) => event === 'board');
    await rm(dataLayout(platform.folder).projections, { recursive: true });
    const problem = await client.event('the problem', ({ event }) => event === 'problem');
    expect(problem.data).toMatchObject({ code: 'read-model-lost' });
    expect(problem.data.detail).toContain('npx annals rebuild leaderboard');
    await client.close();
  });

  it('turns to the next month by the clock', async () => {
    const other = await openPlatform({ clock: new SettableClock('2026-11-30T23:59:48Z') });
    const client = await watchBoard(`${other.url}/v1/leaderboards/default/live`);
    await client.event('November', ({ data }) => data.period === '2026-11');
    await client.event('December', ({ data }) => data.period === '2026-12');
    await client.close();
    await other.close();
  });

  it('ends when the service stops', async () => {
    const other = await openPlatform();
    const client = await watchBoard(`${other.url}/v1/leaderboards/default/live`);
    await client.event('the board', ({ event }) => event === 'board');
    await other.close();
    await until('the end', () => client.hasEnded() || undefined);
  });
});
