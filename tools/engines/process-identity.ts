import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { EnginesError } from './errors.ts';

/**
 * A process by its number and its start: numbers are used again, so a number alone could be
 * anybody's. `started` is opaque, and also differs between two boots of the machine.
 */
export const processIdentity = z.object({ pid: z.int().positive(), started: z.string().min(1) });
export type ProcessIdentity = z.infer<typeof processIdentity>;

const limits = { killMsMax: 20_000, pollMs: 50 } as const;

/** The process that has this number now; undefined when there is none, or only its exit code is left. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const started = process.platform === 'linux' ? startOnLinux(pid) : startByPs(pid);
  return started === undefined ? undefined : { pid, started };
}

/** proc(5): behind the name, which may hold anything, field 3 is the state and field 22 the start in ticks. */
function startOnLinux(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${boot} ${fields[19]}`;
}

function startByPs(pid: number): string | undefined {
  const { status, stdout } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
  });
  const [, state, started] = /^(\S+)\s+(.*\S)\s*$/.exec(stdout ?? '') ?? [];
  return status !== 0 || state?.startsWith('Z') ? undefined : started;
}

export function isRunning(identity: ProcessIdentity | undefined): boolean {
  return identity !== undefined && identityOf(identity.pid)?.started === identity.started;
}

/** Sends a signal to this very process; false when it is gone, whoever has its number now. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Asks a process to end, and kills it when it has not within `graceMs` (0: at once). Returns when it is gone. */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  if (graceMs > 0) {
    signalProcess(identity, 'SIGTERM');
    // A process that was stopped by SIGSTOP cannot end before it goes on.
    signalProcess(identity, 'SIGCONT');
    if (await gone(identity, graceMs)) return;
  }
  signalProcess(identity, 'SIGKILL');
  if (!(await gone(identity, limits.killMsMax))) {
    throw new EnginesError('stop-failed', `process ${identity.pid} does not end, killed or not`);
  }
}

async function gone(identity: ProcessIdentity, msMax: number): Promise<boolean> {
  const deadline = Date.now() + msMax;
  while (isRunning(identity)) {
    if (Date.now() > deadline) return false;
    await delay(limits.pollMs);
  }
  return true;
}
