import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { endProcess, identityOf, isRunning, signalProcess } from './process-identity.ts';

const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

function shell(script: string): ChildProcess {
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  started.push(child);
  return child;
}

function identity(child: ChildProcess) {
  const found = identityOf(child.pid ?? 0);
  if (!found) throw new Error('the process has ended');
  return found;
}

it('a process keeps its identity, and another one has another', () => {
  const child = shell('sleep 60');
  expect(identityOf(process.pid)).toEqual(identityOf(process.pid));
  expect(identity(child)).not.toEqual(identityOf(process.pid));
  expect(isRunning(identity(child))).toBe(true);
});

it('whoever got the number of a process that ended is neither taken for it nor signalled', async () => {
  const child = shell('sleep 60');
  const former = { pid: child.pid ?? 0, started: 'earlier' };
  expect(isRunning(former)).toBe(false);
  expect(signalProcess(former, 'SIGKILL')).toBe(false);
  await endProcess(former, 0);
  expect(isRunning(identity(child))).toBe(true);
});

it('a process of which only the exit code is left does not run', async () => {
  // `exec` takes the place of the shell, which alone would have asked for the exit code.
  const parent = shell('sleep 0.2 & echo $!; exec sleep 60');
  const [line] = (await once(parent.stdout ?? parent, 'data')) as [Buffer];
  const pid = Number(line.toString());
  const deadline = Date.now() + 10_000;
  while (identityOf(pid) && Date.now() < deadline) await delay(20);
  expect(identityOf(pid)).toBeUndefined();
  // The number is still taken.
  expect(process.kill(pid, 0)).toBe(true);
});

it('a process that does not want to end is killed', async () => {
  const child = shell('trap "" TERM; echo ready; while :; do sleep 0.1; done');
  await once(child.stdout ?? child, 'data');
  const stubborn = identity(child);
  await endProcess(stubborn, 200);
  expect(isRunning(stubborn)).toBe(false);
});

it('a process that stands still ends, too', async () => {
  const child = shell('sleep 60');
  const paused = identity(child);
  expect(signalProcess(paused, 'SIGSTOP')).toBe(true);
  await endProcess(paused, 10_000);
  expect(isRunning(paused)).toBe(false);
});
