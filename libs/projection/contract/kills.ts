import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect } from 'vitest';
import type { GenerationStore } from '../store.ts';
import { type KillTask, killBatchRows, killWorkers } from './kill-batches.ts';
import { entries, matches, rowsOf, sampleSpec, tailOf } from './samples.ts';
import {
  openAgain,
  openFresh,
  openGeneration,
  type ProjectionSite,
  type StoreOpeners,
  testWith,
} from './site.ts';

const committerPath = fileURLToPath(new URL('./kill-committer.ts', import.meta.url));
const firstLineMsMax = 20_000;
const wholeMsMax = 20_000;

export function describeKills(openers: StoreOpeners): void {
  const { kills = 5, killDelayMsMax = 80 } = openers;
  describe('kill -9', () => {
    testWith(
      openers,
      'processes',
      `of a committing process, ${kills} times: no crash between rows and checkpoint can be seen`,
      async () => {
        const { site, store } = await openFresh(openers);
        await store.create({ ...sampleSpec, workers: killWorkers });
        const acknowledged = new Map<number, number>();
        for (let kill = 0; kill < kills; kill += 1) {
          await commitAndKill(site, kill, acknowledged, killDelayMsMax);
          await expectWhole(site, acknowledged);
        }
        expect([...acknowledged.keys()].sort()).toEqual([0, 1]);
      },
      180_000,
    );
  });

  testWith(
    openers,
    'processes',
    'two processes that commit at once for their own shares lose nothing and fail nothing',
    async () => {
      const { site, store } = await openFresh(openers);
      await store.create({ ...sampleSpec, workers: killWorkers });
      const batchesMax = 80;
      const children = Array.from({ length: killWorkers }, (_, worker) =>
        startCommitter(site, { holder: `child-0-${worker}`, workers: [worker], batchesMax }),
      );
      for (const { ended, err } of children) {
        expect({ ended: await ended, err: err.join('') }).toEqual({ ended: 0, err: '' });
      }
      const all = Array.from({ length: killWorkers }, (_, n) => [n, batchesMax] as const);
      await expectWhole(site, new Map(all));
    },
    120_000,
  );
}

function startCommitter(
  site: ProjectionSite,
  task: Omit<KillTask, 'module' | 'argument' | 'finish'> & { readonly finish?: boolean },
) {
  if (!site.childProcess) throw new Error('this site names no module for a child process');
  const whole: KillTask = { ...site.childProcess, finish: false, ...task };
  const child = spawn(process.execPath, [committerPath, JSON.stringify(whole)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: string[] = [];
  const err: string[] = [];
  /** Its exit code, or the signal that ended it. */
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.on('close', (code, signal) => resolve(signal ?? code));
  });
  const firstLine = new Promise<void>((resolve, reject) => {
    const late = () => reject(new Error(`no line came; ${err.join('')}`));
    const timer = setTimeout(late, firstLineMsMax);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out.push(text);
      done();
    });
    child.on('close', done);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text));
  return { child, out, err, ended, firstLine };
}

/** A child commits for all workers until it is killed; notes the last batch each worker saw acknowledged. */
async function commitAndKill(
  site: ProjectionSite,
  kill: number,
  acknowledged: Map<number, number>,
  delayMsMax: number,
): Promise<void> {
  const { child, out, err, ended, firstLine } = startCommitter(site, {
    holder: `child-${kill}`,
    workers: Array.from({ length: killWorkers }, (_, worker) => worker),
    finish: kill % 3 === 1,
  });
  await firstLine;
  await new Promise((resolve) => setTimeout(resolve, Math.random() * delayMsMax));
  child.kill('SIGKILL');
  expect({ ended: await ended, err: err.join('') }).toEqual({ ended: 'SIGKILL', err: '' });
  for (const line of out.join('').split('\n').slice(0, -1)) {
    const [worker, batch] = line.split(' ').map(Number) as [number, number];
    acknowledged.set(worker, batch);
  }
}

/** What a process had begun besides its batch when it was killed is ended by whoever comes, once its time is over. */
async function untilWhole(generation: GenerationStore): Promise<void> {
  for (const until = performance.now() + wholeMsMax; performance.now() < until; ) {
    const snapshot = await generation.snapshot();
    const problems = await snapshot.problems();
    await snapshot.close();
    if (problems.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Each worker's rows are exactly those its checkpoint says, and no acknowledged batch is missing. */
async function expectWhole(site: ProjectionSite, acknowledged: Map<number, number>): Promise<void> {
  const store = await openAgain(site);
  const generation = await openGeneration(store, 1);
  await untilWhole(generation);
  const [inEntries, inMatches] = [
    await rowsOf(generation, entries),
    await rowsOf(generation, matches),
  ];
  for (const [worker, { checkpoint, tail }] of (await generation.shares()).entries()) {
    expect(tail).toBe(tailOf(checkpoint));
    const batch = Number(checkpoint[0] ?? 0);
    expect(batch).toBeGreaterThanOrEqual(acknowledged.get(worker) ?? 0);
    const own = inEntries.filter(({ board }) => board === `w${worker}`);
    const scores = new Set(own.map(({ score }) => score));
    expect({ batch, scores: [...scores] }).toEqual({ batch, scores: batch === 0 ? [] : [batch] });
    const written = inMatches.filter(({ id }) => String(id).startsWith(`w${worker}-`));
    expect(written).toHaveLength(batch * killBatchRows);
  }
  await generation.close();
  await store.close();
}
