import { basename, join, relative } from 'node:path';
import { hashLog } from '@annals/event-log';
import { sqliteEventLog } from '@annals/event-log-sqlite';
import { dataLayout } from '@annals/projector';
import { expect, it } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { annals, annalsJson, startAnnals, temporaryFolder } from './testing/cli.ts';
import { appendScores, scoredFolder } from './testing/data-folder.ts';

interface Copied {
  readonly events: number;
  readonly added: number;
  readonly hash: string;
}

async function hashIn(folder: string): Promise<string> {
  const log = await sqliteEventLog({ folder: dataLayout(folder).log, readOnly: true });
  const hash = (await hashLog(log)).digest();
  await log.close();
  return hash;
}

/** `annals log copy` from one folder to another one. */
function copyOf(from: string, to: string): string[] {
  return ['log', 'copy', '--from', `sqlite:${from}`, '--to', `sqlite:${to}`];
}

it('copies a log into a new folder, and what is new when it is called again', async () => {
  const [from, to] = [await scoredFolder(300), await temporaryFolder()];
  const hash = await hashIn(from);
  const places = { from: `sqlite:${from}`, to: `sqlite:${to}` };
  const first = await annalsJson<Copied>(copyOf(from, to));
  expect(first).toEqual({ ...places, events: 300, added: 300, hash });
  await appendScores(from, 300, 320);
  expect(await annalsJson<Copied>(copyOf(from, to))).toMatchObject({ events: 320, added: 20 });
  expect(await hashIn(to)).toBe(await hashIn(from));
  const { code, out } = await annals(copyOf(from, to));
  expect({ code, out }).toMatchObject({ code: exitCodes.ok });
  expect(out).toContain('0 events copied, 320 were there already; log hash ');
});

it('verify --against proves that two logs are equal, and tells when they are not', async () => {
  const [from, to] = [await scoredFolder(50), await temporaryFolder()];
  await annalsJson(copyOf(from, to));
  const verify = ['log', 'verify', '--data', from, '--against', `sqlite:${to}`];
  expect(await annalsJson(verify)).toMatchObject({ sound: true, events: 50 });
  await appendScores(from, 50, 51);
  const { code, out } = await annals(verify);
  expect(code).toBe(exitCodes.different);
  expect(out).toMatch(/has 50 events and the log hash [0-9a-f]{64}; this log has 51 events/);
});

it('refuses a folder that holds another log, and writes nothing', async () => {
  const [from, to] = [await scoredFolder(50), await temporaryFolder()];
  await appendScores(to, 100, 110);
  const before = await hashIn(to);
  const { code, out, err } = await annals(copyOf(from, to));
  expect({ code, out }).toEqual({ code: exitCodes.refused, out: '' });
  expect(err).toContain('they are not the beginning of the log to copy');
  expect(await hashIn(to)).toBe(before);
});

it.each([
  [['--from', 'sqlite:./nowhere', '--to', 'sqlite:x'], exitCodes.unavailable, 'no event log'],
  [['--from', 'redis://h', '--to', 'sqlite:x'], exitCodes.usage, 'redis://h'],
  [['--to', 'sqlite:x'], exitCodes.usage, '--from'],
  [['--from', 'sqlite:x', '--to', 'sqlite:y', '--cut-over', '0'], exitCodes.usage, 'whole number'],
])('%j is refused', async (argv, code, message) => {
  const ran = await annals(['log', 'copy', ...argv, '--data', await temporaryFolder()]);
  expect(ran).toMatchObject({ code, out: '' });
  expect(ran.err).toContain(message);
});

it('refuses to copy a log onto itself', async () => {
  const folder = await scoredFolder(5);
  const { code, err } = await annals(copyOf(folder, folder));
  expect(code).toBe(exitCodes.usage);
  expect(err).toContain('the same log');
});

it('--cut-over follows until nothing new comes, and compares', async () => {
  const [from, to] = [await scoredFolder(50), await temporaryFolder()];
  const running = startAnnals([...copyOf(from, to), '--cut-over', '2', '--json']);
  await expect.poll(() => hashIn(to).catch(() => ''), { timeout: 60_000 }).toBe(await hashIn(from));
  await appendScores(from, 50, 90);
  const { code, out, err } = await running.ended;
  expect({ code, err }).toEqual({ code: exitCodes.ok, err: '' });
  expect(JSON.parse(out)).toMatchObject({ events: 90, added: 90, hash: await hashIn(to) });
  expect(await hashIn(to)).toBe(await hashIn(from));
}, 90_000);

it('killed with -9 again and again, it goes on from what is there', async () => {
  const [from, to] = [await scoredFolder(8_000), await temporaryFolder()];
  for (let kill = 0; kill < 3; kill += 1) {
    const running = startAnnals(copyOf(from, to));
    const stored = kill * 1_500;
    await expect
      .poll(() => eventsIn(to), { timeout: 60_000, interval: 5 })
      .toBeGreaterThanOrEqual(stored);
    running.child.kill('SIGKILL');
    await running.ended;
  }
  const { events, added } = await annalsJson<Copied>(copyOf(from, to));
  expect(events).toBe(8_000);
  expect(added).toBeLessThan(8_000);
  expect(await hashIn(to)).toBe(await hashIn(from));
}, 240_000);

it('--follow goes on until it is told to stop, and has everything then', async () => {
  const [from, to] = [await scoredFolder(50), await temporaryFolder()];
  const stop = new AbortController();
  const running = annals([...copyOf(from, to), '--follow'], { signal: stop.signal });
  await expect.poll(() => eventsIn(to), { timeout: 30_000 }).toBe(50);
  await appendScores(from, 50, 60);
  await expect.poll(() => eventsIn(to), { timeout: 30_000 }).toBe(60);
  stop.abort();
  const { code, err } = await running;
  expect(code).toBe(exitCodes.interrupted);
  expect(err).toContain('stopped after 60 events: the same command goes on');
});

/** -1 while there is no log. */
async function eventsIn(folder: string): Promise<number> {
  try {
    const log = await sqliteEventLog({ folder: dataLayout(folder).log, readOnly: true });
    const counts = await log.count();
    await log.close();
    return [...counts.values()].reduce((sum, count) => sum + count, 0);
  } catch {
    return -1;
  }
}

it('refuses to copy a folder to itself, however it is written', async () => {
  const folder = await scoredFolder(5);
  for (const to of [
    folder,
    `${folder}/`,
    join(folder, '..', basename(folder)),
    relative('.', folder),
  ]) {
    const { code, err } = await annals(copyOf(folder, to));
    expect({ code, err }).toMatchObject({ code: exitCodes.usage });
    expect(err).toContain('--from and --to are the same log');
  }
});
