import { sqliteEventLog } from '@annals/event-log-sqlite';
import { describeEveryRoute } from '@annals/http/testing';
import { issueKey, revokeKey } from '@annals/iam';
import { dataLayout } from '@annals/projector';
import { openPlatform } from './testing/open-platform.ts';
import { until } from './testing/until.ts';

const score = {
  user_id: 'ann',
  points: 7,
  match_id: 'm-1',
  leaderboard: 'default',
  occurred_at: '2026-11-02T10:00:00Z',
};
const position = '0:0000000000000001';
const read = { period: '2026-11', ties: 'dense', 'min-position': position };
const on = { leaderboard: 'default', ...read };
const headers = { 'min-position': position };

// The routes of payments are looked at where they are.
const ofLeaderboard = /\/v1\/(?:scores|leaderboards|players)/;

describeEveryRoute('the platform', {
  covers: (route) => ofLeaderboard.test(route),
  open: async () => {
    const platform = await openPlatform();
    // Keys come from somebody else than the platform, as they do from the command line.
    const log = await sqliteEventLog({ folder: dataLayout(platform.folder).log });
    const { body } = await platform.call('PUT /v1/players/zoe', { body: { name: 'Zoe' } });
    await platform.call(`GET /v1/players/zoe?min-position=${body.position}`);
    const codeOf = async (key: string) =>
      (await platform.call('GET /v1/scores', { key })).body.code;
    return {
      server: platform.server,
      issueKey: async (scopes) => {
        const issued = await issueKey({ log }, { name: 'test', scopes, issuedBy: 'test' });
        if (issued.kind !== 'issued') throw new Error(issued.kind);
        const { token } = issued;
        await until(
          'the new key',
          async () => (await codeOf(token)) !== 'unknown-token' || undefined,
        );
        return token;
      },
      revokeKey: async (token) => {
        const keyId = token.split('_')[1] as string;
        await revokeKey({ log }, { keyId, revokedBy: 'test' });
        await until(
          'the revocation',
          async () => (await codeOf(token)) === 'revoked-token' || undefined,
        );
      },
      stored: () => log.head(),
      close: async () => {
        await log.close();
        await platform.close();
      },
    };
  },
  examples: {
    'POST /v1/scores': { body: score },
    'POST /v1/scores/batch': { body: { scores: [{ ...score, match_id: 'm-2' }] } },
    'GET /v1/scores': { query: { ...on, limit: 3, offset: 0 }, headers },
    'GET /v1/scores/{user_id}': {
      params: { user_id: 'ann' },
      query: { ...on, around: 2 },
      headers,
    },
    'GET /v1/scores/{user_id}/history': {
      params: { user_id: 'ann' },
      query: { leaderboard: 'default', period: '2026-11', 'min-position': position, limit: 2 },
      headers,
    },
    'POST /v1/scores/ranks': {
      body: { user_ids: ['ann', 'bob'], leaderboard: 'default', period: '2026-11', ties: 'dense' },
      query: { 'min-position': position },
      headers,
    },
    'PUT /v1/leaderboards/{id}': {
      params: { id: 'weekly' },
      body: { operator: 'best', order: 'asc', reset: 'weekly' },
    },
    'POST /v1/leaderboards/{id}/periods/{period}/close': {
      params: { id: 'default', period: '2026-10' },
    },
    'GET /v1/leaderboards': { query: { limit: 3, cursor: 'a' } },
    'GET /v1/leaderboards/{id}': { params: { id: 'default' } },
    'GET /v1/players/{user_id}': {
      params: { user_id: 'zoe' },
      query: { 'min-position': position },
      headers,
    },
    'PUT /v1/players/{user_id}': {
      params: { user_id: 'ann' },
      body: { name: 'Ann', picture: 'https://example.org/ann.png' },
    },
    'DELETE /v1/players/{user_id}': { params: { user_id: 'bob' } },
    'GET /v1/leaderboards/{id}/live': {
      params: { id: 'default' },
      query: { period: '2026-11', ties: 'dense', top: 3, user_id: 'ann' },
    },
  },
});
