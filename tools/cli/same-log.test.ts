import { mkdir, symlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseLogUrl } from '@annals/projector';
import { expect, it } from 'vitest';
import { isSamePlace } from './same-log.ts';
import { temporaryFolder } from './testing/cli.ts';

function isSame(one: string, other: string): boolean {
  const [first, second] = [parseLogUrl(one), parseLogUrl(other)];
  if (first.kind === 'bad-url' || second.kind === 'bad-url') throw new Error(`${one} ${other}`);
  return isSamePlace(first, second);
}

it.each([
  ['sqlite:./d1', 'sqlite:d1', true],
  ['sqlite:./d1', 'sqlite:./x/../d1/', true],
  ['sqlite:./d1', 'sqlite:./d2', false],
  ['kafka://a:1,b:2/t?partitions=3', 'kafka://ann:secret@B:2/t', true],
  ['kafka://a:1', 'kafka://a:1/annals', true],
  ['kafka://a:1/t', 'kafka://a:1/u', false],
  ['kafka://a:1/t', 'kafka://b:1/t', false],
  ['esdb://a:1?tls=false&prefix=x.', 'esdb://ann:secret@a:1/?prefix=x.', true],
  ['esdb://a:1?prefix=x.', 'esdb://a:1?prefix=y.', false],
  ['sqlite:./t', 'kafka://a:1/t', false],
])('%s and %s: one place is %s', (one, other, same) => {
  expect(isSame(one, other)).toBe(same);
});

it('a folder under two names is one place', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'real'));
  await symlink(join(folder, 'real'), join(folder, 'link'));
  const real = relative(process.cwd(), join(folder, 'real'));
  expect(isSame(`sqlite:${real}`, `sqlite:${join(folder, 'link')}`)).toBe(true);
});
