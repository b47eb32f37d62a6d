import { systemClock } from '@annals/core';
import { memoryEventLog } from '@annals/event-log';
import {
  followBoards,
  Leaderboard,
  type LeaderboardReadModel,
  leaderboardProjection,
  scanReadModel,
} from '@annals/leaderboard';
import { generationDirectory, memoryProjectionStore, runProjector } from '@annals/projection';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, it, onTestFinished } from 'vitest';
import { leaderboardServer } from './testing/readme-example.ts';

type Mark = <A extends { readonly kind: string }>(answer: Promise<A>) => Promise<A>;

/** A read model of which every answer is marked as the test says. */
function marked(inner: LeaderboardReadModel, mark: Mark): LeaderboardReadModel {
  return {
    entries: (places) => inner.entries(places),
    waitFor: (checkpoint, timeoutMs, signal) => inner.waitFor(checkpoint, timeoutMs, signal),
    top: (query) => mark(inner.top(query)),
    standing: (query) => mark(inner.standing(query)),
    ranks: (query) => mark(inner.ranks(query)),
    history: (query) => mark(inner.history(query)),
    player: (userId) => mark(inner.player(userId)),
  };
}

async function start(mark: Mark) {
  const held = new AsyncDisposableStack();
  onTestFinished(() => held.disposeAsync());
  const stop = new AbortController();
  const { signal } = stop;
  const clock = systemClock;
  const log = memoryEventLog({ clock });
  const keys = memorySubjectKeyStore();
  const cipher = subjectCipher(keys);
  const store = memoryProjectionStore({ clock });
  const projector = runProjector({
    ...{ log, cipher, clock, signal, storeFor: () => store, holder: 'test' },
    projections: [leaderboardProjection],
    directory: generationDirectory(log, { signal, clock }),
  });
  const boards = followBoards({ log, cipher, clock });
  held.defer(() => boards.close());
  held.defer(async () => {
    stop.abort();
    await projector.done;
  });
  const readModel = marked(
    scanReadModel(() => store.open(1), clock),
    mark,
  );
  const service = new Leaderboard({ log, keys, cipher, clock, readModel, boards });
  await service.ensureDefaultBoard();
  const caller = { kind: 'authenticated', keyId: 'k1', name: 'game' } as const;
  const scopes = ['scores:write', 'scores:read', 'players:write'] as const;
  const server = await leaderboardServer(
    service,
    { authenticate: () => ({ ...caller, scopes: [...scopes] }) },
    { clock, onChange: () => () => undefined, head: () => log.head() },
  );
  held.defer(() => server.stop());
  const headers = { authorization: 'Bearer key' };
  const score = { user_id: 'ann', points: 3, match_id: 'm1' };
  await server.inject({ method: 'POST', url: '/v1/scores', headers, payload: score });
  const named = await server.inject({
    ...{ method: 'PUT', url: '/v1/players/ann', headers, payload: { name: 'Ann' } },
  });
  expect(named.statusCode).toBe(200);
  const minPosition = named.json().position;
  return async (url: string, payload?: object) => {
    const [method, place] = [
      payload ? 'POST' : 'GET',
      `${url}?min-position=${minPosition}`,
    ] as const;
    const answer = await server.inject({
      method,
      url: place,
      headers,
      ...(payload && { payload }),
    });
    expect(answer.statusCode, answer.body).toBe(200);
    return answer.json();
  };
}

const reads: readonly (readonly [url: string, payload?: object])[] = [
  ['/v1/scores'],
  ['/v1/scores/ann'],
  ['/v1/scores/ann/history'],
  ['/v1/scores/ranks', { user_ids: ['ann'] }],
  ['/v1/players/ann'],
];

it('an answer of which parts are newer than as_of says so', async () => {
  const ask = await start(async (answer) => ({ ...(await answer), exact: false }));
  for (const [url, payload] of reads) {
    expect(await ask(url, payload)).toMatchObject({ as_of: expect.any(String), exact: false });
  }
});

it('an answer that is exact says nothing of it', async () => {
  const ask = await start((answer) => answer);
  for (const [url, payload] of reads) expect(await ask(url, payload)).not.toHaveProperty('exact');
});
