import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { embeddedSite, openEmbedded } from './embedded.ts';
import { projectionNamed } from './registry.ts';
import { dataLayout } from './site/data-layout.ts';
import { startProjectorThread } from './start-projector-thread.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'annals-projector-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function run(env: { readonly [name: string]: string }) {
  const entry = join(import.meta.dirname, 'main.ts');
  const child = spawn(process.execPath, [entry], { env: { PATH: process.env.PATH, ...env } });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  return { child, ended, out: () => out };
}

async function until<T>(ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(20)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  throw new Error('in vain');
}

/** The first generation of the leaderboard, once a projector has made it. */
async function madeBoard(dataFolder: string) {
  const embedded = await openEmbedded({ dataFolder });
  const projection = projectionNamed('leaderboard');
  if (!projection) throw new Error('no leaderboard');
  const store = embedded.storeFor(projection);
  const opened = await until(async () => {
    const generation = await store.open(1);
    return generation === 'lost' ? undefined : generation;
  });
  return { opened, close: () => embedded.close() };
}

/** The log in this folder, as a program wrote it that is newer than this one. */
function writtenByNewerProgram(dataFolder: string): void {
  const db = new DatabaseSync(join(dataLayout(dataFolder).log, 'events.sqlite'));
  db.exec('PRAGMA user_version = 99');
  db.close();
}

describe('the projector as a process of its own', () => {
  it('removes the rows that a verification has left behind when it was killed', async () => {
    const dataFolder = join(folder, 'left-over');
    await (await openEmbedded({ dataFolder })).close();
    const { scratch } = dataLayout(dataFolder);
    await mkdir(join(scratch, 'killed', 'leaderboard'), { recursive: true });
    await writeFile(join(scratch, 'killed', 'leaderboard', 'g1.sqlite'), 'rows');
    await writeFile(join(scratch, 'killed.lock'), '');
    const { child, ended } = run({ ANNALS_DATA: dataFolder });
    await until(async () => ((await readdir(scratch)).length === 0 ? true : undefined));
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
  });

  it('refuses a folder without a log: one line, exit code 1', async () => {
    const { code, err } = await run({ ANNALS_DATA: join(folder, 'nothing') }).ended;
    expect(code).toBe(1);
    expect(err).toMatch(/^annals: there is no event log in .+\n$/);
  });

  it('refuses wrong settings by name: exit code 2', async () => {
    const { code, err } = await run({ ANNALS_DATA: folder, ANNALS_MASTER_KEY: 'x' }).ended;
    expect(code).toBe(2);
    expect(err).toContain('ANNALS_MASTER_KEY: must be 64 hex digits');
  });

  it('makes the first generation, follows the log, and stops on a signal', async () => {
    const dataFolder = join(folder, 'process');
    await (await openEmbedded({ dataFolder })).close();
    const projector = run({ ANNALS_DATA: dataFolder });
    await until(() => projector.out().includes('following the log') || undefined);
    const { opened, close } = await madeBoard(dataFolder);
    expect(await opened.present()).toBe(true);
    await close();
    projector.child.kill('SIGTERM');
    expect(await projector.ended).toMatchObject({ code: 0, err: '' });
  });
});

describe('the projector on a thread', () => {
  it('says how every generation stands, and stops when told', async () => {
    const dataFolder = join(folder, 'thread');
    await (await openEmbedded({ dataFolder })).close();
    const troubles: string[] = [];
    const thread = startProjectorThread({
      site: embeddedSite(dataFolder),
      holder: 'thread',
      onTrouble: (projection, detail) => troubles.push(`${projection}: ${detail}`),
    });
    const live = await until(() => {
      const [first] = thread.status();
      const share = first?.kind === 'followed' ? first.shares[0] : undefined;
      return share?.state === 'live' ? first : undefined;
    });
    expect(live).toMatchObject({ projection: 'leaderboard', generation: 1, isLive: true });
    await thread.stop();
    expect(troubles).toEqual([]);
  });

  it('starts again when it ended by an error', async () => {
    const troubles: string[] = [];
    const thread = startProjectorThread({
      // No folder can be made below a file.
      site: embeddedSite(join(import.meta.filename, 'no-folder')),
      holder: 'thread',
      onTrouble: (_projection, detail) => troubles.push(detail),
    });
    await until(() => (troubles.length >= 2 ? true : undefined));
    expect(troubles[0]).toContain('the projector stopped');
    await thread.stop();
  });

  it('says that its log has failed where only an operator can mend that, and is not started again', async () => {
    const dataFolder = join(folder, 'newer');
    await (await openEmbedded({ dataFolder })).close();
    writtenByNewerProgram(dataFolder);
    const failures: string[] = [];
    const troubles: string[] = [];
    const thread = startProjectorThread({
      site: embeddedSite(dataFolder),
      holder: 'thread',
      onTrouble: (_projection, detail) => troubles.push(detail),
      onFailed: ({ message }) => failures.push(message),
    });
    await until(() => (troubles.length >= 1 ? true : undefined));
    // Longer than until it is started again.
    await delay(1_000);
    expect(troubles).toHaveLength(1);
    expect(failures).toEqual([expect.stringContaining('use a newer program')]);
    await thread.stop();
  });
});
