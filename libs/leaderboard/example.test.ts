import { readFileSync } from 'node:fs';
import { systemClock } from '@annals/core';
import { memoryEventLog } from '@annals/event-log';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import { followBoards, Leaderboard } from './index.ts';
import { FollowingNaive } from './testing/twin-leaderboard.ts';

/** The ts block of the README, run as it stands. */
test('the example of the README runs and says what it says', async () => {
  const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const body = example.replace(/^import .*\n/gm, '');
  const log = memoryEventLog();
  const keys = memorySubjectKeyStore();
  const cipher = subjectCipher(keys);
  const readModel = new FollowingNaive(log, cipher);
  const given = { log, keys, cipher, readModel, clock: systemClock, followBoards, Leaderboard };
  const said: unknown[] = [];
  const run = new Function(...Object.keys(given), 'say', `return (async () => {${body}\n})()`);
  await run(...Object.values(given), (value: unknown) => said.push(value));
  expect(said.map(String)).toEqual(
    [...example.matchAll(/say\(.*\); \/\/ (.*)/g)].map((match) => match[1]),
  );
  expect(said).toHaveLength(4);
});
