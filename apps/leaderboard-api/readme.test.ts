import { readFileSync } from 'node:fs';
import { systemClock } from '@annals/core';
import { memoryEventLog } from '@annals/event-log';
import {
  followBoards,
  Leaderboard,
  leaderboardProjection,
  scanReadModel,
} from '@annals/leaderboard';
import { generationDirectory, memoryProjectionStore, runProjector } from '@annals/projection';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, it } from 'vitest';
import { leaderboardServer } from './testing/readme-example.ts';

const text = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');

it('the example of the README is the one that is run here, over twins', async () => {
  const example = text('testing/readme-example.ts').replace(
    '../index.ts',
    '@annals/leaderboard-api',
  );
  expect(text('README.md')).toContain(`\`\`\`ts\n${example}\`\`\``);

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
  const readModel = scanReadModel(() => store.open(1), clock);
  const service = new Leaderboard({ log, keys, cipher, clock, readModel, boards });
  await service.ensureDefaultBoard();

  const caller = { kind: 'authenticated', keyId: 'k1', name: 'game' } as const;
  const server = await leaderboardServer(
    service,
    { authenticate: () => ({ ...caller, scopes: ['scores:write', 'scores:read'] }) },
    { clock, onChange: () => () => undefined, head: () => log.head() },
  );
  const headers = { authorization: 'Bearer key' };
  const written = await server.inject({
    method: 'POST',
    url: '/v1/scores',
    headers,
    payload: { user_id: 'ann', points: 3, match_id: 'm1' },
  });
  const { position } = written.json();
  const read = await server.inject({ url: `/v1/scores?min-position=${position}`, headers });
  expect(read.json().data).toMatchObject([{ user_id: 'ann', rank: 1, score: 3 }]);
  await server.stop();
  stop.abort();
  await projector.done;
  await boards.close();
  await log.close();
});
