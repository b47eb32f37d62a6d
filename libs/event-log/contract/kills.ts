import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { EventLog } from '../port.ts';
import { type KillWriterTask, killEvents, killStream, killStreams } from './kill-appends.ts';
import { expectLogOrder, expectNoGaps, readAll, within } from './reading.ts';
import { stored } from './sample-events.ts';
import { type LogOpeners, type LogSite, openAgain, openFresh, testWith } from './site.ts';

const writerPath = fileURLToPath(new URL('./kill-writer.ts', import.meta.url));
/** Children at work at the same time. They share one log. */
const lanes = 3;
/** Appends behind the last acknowledged one that the next child sends again. */
const resentAppends = 2 * killStreams;
const killDelayMsMax = 60;
/** A program that opens a log on a machine that is busy with other tests. */
const startMsMax = 60_000;
/** How long what another process stored may take to be seen here, and between two looks. */
const seenMsMax = 10_000;
const seenPollMs = 20;

/** What the parent of one lane knows to be acknowledged: append number → revision. */
interface Lane {
  readonly lane: number;
  readonly acknowledged: Map<number, number>;
}

export function describeKills(openers: LogOpeners): void {
  const kills = openers.kills ?? 50;
  testWith(
    openers,
    'processes',
    `kill -9 of a writing process, ${kills} times: all that was acknowledged is there, nothing half, a resend adds nothing`,
    async () => {
      const { site, log } = await openFresh(openers);
      const all = Array.from(
        { length: lanes },
        (_, lane): Lane => ({ lane, acknowledged: new Map() }),
      );
      await Promise.all(
        all.map(async (lane) => {
          for (let kill = lane.lane; kill < kills; kill += lanes) {
            await writeAndKill(site, lane);
            await expectAcknowledged(log, lane);
          }
        }),
      );
      for (const lane of all) expect(lane.acknowledged.size).toBeGreaterThan(0);
      const reopened = openers.without?.reopen === undefined ? await openAgain(site) : log;
      await expectNothingHalf(reopened, all);
      await expectResendAddsNothing(reopened, all);
    },
    180_000,
  );
}

/** Starts a child, lets it write for a random time, kills it, and notes what it acknowledged. */
async function writeAndKill(site: LogSite, lane: Lane): Promise<void> {
  const { acknowledged } = lane;
  const last = Math.max(-1, ...acknowledged.keys());
  const first = Math.max(0, last + 1 - resentAppends);
  if (!site.childProcess) throw new Error('this site names no module for a child process');
  const task: KillWriterTask = {
    ...site.childProcess,
    lane: lane.lane,
    first: first - (first % killStreams),
  };
  const child = spawn(process.execPath, [writerPath, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { out, err, firstLine, closed } = listen(child);
  // Most kills hit the writing, some the opening; none of a lane may hit nothing else.
  if (acknowledged.size === 0 || Math.random() < 0.85) {
    await within(
      Promise.race([firstLine, closed]),
      () => `waiting for a first line; ${err.join('')}`,
      startMsMax,
    );
  }
  await new Promise((resolve) => setTimeout(resolve, Math.random() * killDelayMsMax));
  child.kill('SIGKILL');
  const { code, signal } = await closed;
  expect({ code, signal, err: err.join('') }).toEqual({ code: null, signal: 'SIGKILL', err: '' });
  note(lane, out.join(''));
}

function listen(child: ChildProcess) {
  const out: string[] = [];
  const err: string[] = [];
  const closed = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  const firstLine = new Promise<void>((resolve) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      out.push(text);
      resolve();
    });
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => err.push(text));
  return { out, err, firstLine, closed };
}

/** An append that was acknowledged before must be a duplicate with the same answer. */
function note({ acknowledged }: Lane, text: string): void {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  for (const line of whole.split('\n').slice(0, -1)) {
    const [append, revision, duplicate] = line.split(' ') as [string, string, string];
    const earlier = acknowledged.get(Number(append));
    if (earlier !== undefined) {
      expect({ line, duplicate, revision }).toEqual({
        line,
        duplicate: 'true',
        revision: String(earlier),
      });
    }
    acknowledged.set(Number(append), Number(revision));
  }
}

/** The newest acknowledged append of each stream is there as a whole, at its revision. */
async function expectAcknowledged(log: EventLog, { lane, acknowledged }: Lane): Promise<void> {
  for (let stream = 0; stream < killStreams; stream += 1) {
    const newest = Math.max(
      -1,
      ...[...acknowledged.keys()].filter((append) => append % killStreams === stream),
    );
    if (newest < 0) continue;
    const sent = killEvents(lane, newest);
    const from = acknowledged.get(newest)! - sent.length + 1;
    const found = async () => {
      const page = await log.readStream(killStream(lane, newest), { from, limit: sent.length });
      return page.events.map((event) => event.id);
    };
    // An engine that is read from a replica shows what another process stored a moment later.
    const deadline = Date.now() + seenMsMax;
    while ((await found()).length < sent.length && Date.now() < deadline) await delay(seenPollMs);
    expect(await found()).toEqual(sent.map((event) => event.id));
  }
}

/** Every append in the log is whole, side by side and there once; every acknowledged one is in the log. */
async function expectNothingHalf(log: EventLog, all: readonly Lane[]): Promise<void> {
  const events = await readAll(log);
  expectLogOrder(events);
  expectNoGaps(events);
  const streams = Map.groupBy(events, (event) => event.stream);
  for (const { lane, acknowledged } of all) {
    const found = new Map<number, number>();
    for (let stream = 0; stream < killStreams; stream += 1) {
      const kept = streams.get(killStream(lane, stream)) ?? [];
      for (let at = 0; at < kept.length; ) {
        const append = (JSON.parse(kept[at]!.data) as { append: number }).append;
        const sent = killEvents(lane, append).map((event) => event.id);
        expect(kept.slice(at, at + sent.length).map((event) => event.id)).toEqual(sent);
        expect(found.has(append)).toBe(false);
        at += sent.length;
        found.set(append, at - 1);
      }
    }
    for (const [append, revision] of acknowledged) expect(found.get(append)).toBe(revision);
  }
}

async function expectResendAddsNothing(log: EventLog, all: readonly Lane[]): Promise<void> {
  const before = await log.head();
  for (const { lane, acknowledged } of all) {
    for (const [append, revision] of acknowledged) {
      const events = killEvents(lane, append);
      const result = await log.append(killStream(lane, append), events, { expected: 'no-stream' });
      expect(stored(result)).toMatchObject({ revision, duplicate: true });
    }
  }
  expect(await log.head()).toEqual(before);
}
