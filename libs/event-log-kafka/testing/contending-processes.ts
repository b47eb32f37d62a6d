import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describeOn, type Engine } from '@annals/core/testing';
import { hashLog } from '@annals/event-log';
import { expect, test } from 'vitest';
import { contendedStreams, type Said } from './contending-writer.ts';
import { freshFolder } from './fresh-follower.ts';
import { freshTopic } from './fresh-topic.ts';
import { faultsIn } from './history-checker.ts';
import { wholeStreams } from './whole-streams.ts';

const writer = fileURLToPath(new URL('./contending-writer.ts', import.meta.url));
const contendedNames = Array.from(
  { length: contendedStreams },
  (_, number) => `contended-${number}`,
);
const lifeMsMax = 400;
/** Longer than all kills take: the one that lives is stopped by its end of input. */
const secondsMax = 600;

interface Child {
  readonly process: ChildProcess;
  readonly said: Said[];
  readonly err: string[];
  readonly closed: Promise<number | null>;
  firstTold(): Promise<void>;
}

function start(task: object): Child {
  const child = spawn(process.execPath, [writer, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: Said[] = [];
  const err: string[] = [];
  const told = Promise.withResolvers<void>();
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const one = JSON.parse(line) as Said;
      said.push(one);
      if (one.say === 'told') told.resolve();
    }
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text));
  const closed = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      told.resolve();
      resolve(code);
    });
  });
  return { process: child, said, err, closed, firstTold: () => told.promise };
}

/** Two processes append to the same streams, and one of them is killed that many times. */
export async function describeContendingProcesses(kills: number): Promise<void> {
  await describeOn('kafka', 'two processes that append to the same streams', (kafka) => {
    test(
      `one of them killed ${kills} times: nothing lost, doubled or wrongly accepted, and their hashes are equal`,
      () => contend(kafka, kills),
      900_000,
    );
  });
}

async function contend(kafka: Engine, kills: number): Promise<void> {
  const site = freshTopic(kafka);
  const reader = await site.open();
  const common = { brokers: kafka.addresses, topic: site.topic };
  // The survivor lives through all of it, so its replica is one that never began anew.
  const survivor = start({ ...common, folder: freshFolder(), seconds: secondsMax });
  const all = [survivor];
  const folder = freshFolder();
  for (let kill = 0; kill < kills; kill += 1) {
    const victim = start({ ...common, folder, seconds: secondsMax });
    all.push(victim);
    // Most kills hit the writing, some the opening.
    if (kill % 7 !== 0) await victim.firstTold();
    await new Promise((resolve) => setTimeout(resolve, Math.random() * lifeMsMax));
    victim.process.kill('SIGKILL');
    await victim.closed;
    expect(victim.err.join('')).toBe('');
    expect(survivor.err.join('')).toBe('');
  }
  survivor.process.kill('SIGKILL');
  await survivor.closed;
  // A last one on the killed one's replica ends in order, and says its hashes.
  const last = start({ ...common, folder, seconds: 1 });
  all.push(last);
  expect({ code: await last.closed, err: last.err.join('') }).toEqual({ code: 0, err: '' });
  const streams = await wholeStreams(reader, contendedNames);
  expect(
    faultsIn(
      all.map((child) => child.said),
      streams,
    ),
  ).toEqual([]);
  const tolds = all.flatMap((child) => child.said.filter((one) => one.say === 'told'));
  expect(tolds.length).toBeGreaterThan(kills * 10);
  const end = last.said.at(-1);
  const hashes = reader.status().map((one) => `${one.partition} ${one.offset} ${one.verdictHash}`);
  // Barriers of the reader came behind the last writer's: compared is a new process from the topic alone.
  const fresh = await site.open();
  expect(fresh.status().map((one) => `${one.partition} ${one.offset} ${one.verdictHash}`)).toEqual(
    hashes,
  );
  expect(end).toMatchObject({ say: 'end' });
  expect((await hashLog(fresh)).digest()).toBe((await hashLog(reader)).digest());
}
