import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exclusively } from './exclusive.ts';

const never = new AbortController().signal;
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'annals-lock-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('one works while the others wait', async () => {
  const file = join(folder, 'in-turn', 'lock');
  let inside = 0;
  const work = async () => {
    inside += 1;
    expect(inside).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    inside -= 1;
    return 'done';
  };
  const all = await Promise.all([1, 2, 3, 4].map(() => exclusively(file, never, work)));
  expect(all).toEqual(['done', 'done', 'done', 'done']);
});

it('work that throws lets go of the lock', async () => {
  const file = join(folder, 'thrown.lock');
  const broken = () => Promise.reject(new Error('broken'));
  await expect(exclusively(file, never, broken)).rejects.toThrow('broken');
  expect(await exclusively(file, never, () => Promise.resolve('next'))).toBe('next');
});

it('another process holds it, until it is killed', async () => {
  const file = join(folder, 'killed.lock');
  const holder = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `import { exclusively } from ${JSON.stringify(join(import.meta.dirname, 'exclusive.ts'))};
       await exclusively(${JSON.stringify(file)}, new AbortController().signal, async () => {
         console.log('held');
         await new Promise((resolve) => setTimeout(resolve, 600_000));
       });`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(holder.stdout, 'data');
  const impatient = AbortSignal.timeout(300);
  const refused = exclusively(file, impatient, () => Promise.resolve('too early'));
  await expect(refused).rejects.toMatchObject({ code: 'interrupted' });
  holder.kill('SIGKILL');
  expect(await exclusively(file, never, () => Promise.resolve('after it'))).toBe('after it');
});
