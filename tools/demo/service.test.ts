import { describe, expect, it } from 'vitest';
import type { Options } from './options.ts';
import { findService } from './service.ts';
import { answeringServer, problem, type Told } from './testing/answering-server.ts';

const given: Options = {
  url: '',
  urlNamed: true,
  key: 'a-key',
  data: undefined,
  own: false,
  leaderboard: 'default',
  players: 2,
  matches: 1,
  seed: 1,
  keep: false,
  json: true,
  yes: true,
};
const ready: Told = { status: 200, body: { status: 'ready', checks: [] } };
const page: Told = { status: 200, body: { data: [], players: 0, period: '2026-11', as_of: '0:1' } };

async function find(readyz: Told, scores: Told, options: Partial<Options> = {}) {
  const { url } = await answeringServer(({ url: path }) => (path === '/readyz' ? readyz : scores));
  return findService({ ...given, url, ...options }, new AbortController().signal);
}

describe('a service that runs', () => {
  it('is played on, with the data folder that was given', async () => {
    const service = await find(ready, page, { data: 'somewhere' });
    expect(service).toMatchObject({ own: false, dataFolder: 'somewhere' });
    await service.close();
  });

  it('may keep its readiness to itself', async () => {
    const service = await find(problem(403, 'insufficient-scope'), page);
    await service.close();
  });

  it.each([
    ['is no Annals', { status: 200, body: '<html>hello</html>' }, page, 'not-annals'],
    ['has no such page', { status: 404, body: { error: 'x' } }, page, 'not-annals'],
    ['wants another login', { status: 401, body: 'login' }, page, 'not-annals'],
    ['refuses the key', ready, problem(401, 'unknown-key'), 'key-refused'],
    [
      'is not ready',
      {
        status: 503,
        body: { status: 'x', checks: [{ name: 'board', ready: false, detail: 'lost' }] },
      },
      page,
      'not-ready',
    ],
    [
      'has lost its board',
      {
        status: 200,
        body: {
          status: 'degraded',
          checks: [{ name: 'board', ready: true, degraded: true, detail: 'lost' }],
        },
      },
      page,
      'not-ready',
    ],
  ])('and %s is an error', async (_what, readyz, scores, code) => {
    await expect(find(readyz, scores)).rejects.toMatchObject({ code, exitCode: 5 });
  });

  it('needs a key, and nothing else is started in its place', async () => {
    const none = find(ready, page, { key: undefined, urlNamed: false });
    await expect(none).rejects.toMatchObject({ code: 'no-key', exitCode: 5 });
  });
});

it.each([
  ['an address', { urlNamed: true }],
  ['a data folder', { urlNamed: false, data: 'somewhere' }],
])('where %s was named and nobody answers, nothing is started', async (_what, options) => {
  const found = findService(
    { ...given, url: 'http://127.0.0.1:9', ...options },
    new AbortController().signal,
  );
  await expect(found).rejects.toMatchObject({ code: 'service-unreachable', exitCode: 5 });
});
