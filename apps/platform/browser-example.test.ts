import { readFile } from 'node:fs/promises';
import { expect, it, vi } from 'vitest';
import { adminKey, openPlatform } from './testing/open-platform.ts';
import { until } from './testing/until.ts';

vi.setConfig({ testTimeout: 120_000 });

type Watch = (
  url: string,
  key: string,
  onEvent: (event: string, data: { readonly players: number }) => void,
  signal: AbortSignal,
) => Promise<void>;

it('the fetch example of docs/leaderboard.md reads the live board', async () => {
  const page = await readFile(new URL('../../docs/leaderboard.md', import.meta.url), 'utf8');
  const source = /^```js\n(.*?)^```$/ms.exec(page)?.[1] ?? '';
  const { watch } = (await import(
    `data:text/javascript,${encodeURIComponent(`export ${source}`)}`
  )) as { readonly watch: Watch };
  const platform = await openPlatform({ readableMsMax: 30_000 });
  const stop = new AbortController();
  const seen: number[] = [];
  const watching = watch(
    `${platform.url}/v1/leaderboards/default/live`,
    adminKey,
    (event, { players }) => {
      if (event === 'board') seen.push(players);
    },
    stop.signal,
  ).catch((error: Error) => error.name);
  await until('the empty board', () => seen.includes(0) || undefined);
  const body = { user_id: 'ann', points: 1, match_id: 'm1' };
  await platform.call('POST /v1/scores', { body });
  await until('the first player', () => seen.includes(1) || undefined);
  stop.abort();
  expect(await watching).toBe('AbortError');
  await platform.close();
});
