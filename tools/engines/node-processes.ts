import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type EngineNode,
  type EngineRecord,
  engineFolder,
  type Site,
  writeRecord,
} from './engines-folder.ts';
import { EnginesError, stopIfAborted } from './errors.ts';
import type { EngineKind, NodeSite, Programs } from './kinds/kind.ts';
import { endProcess, identityOf, isRunning } from './process-identity.ts';
import type { Environment } from './programs.ts';
import { lastLines } from './run-program.ts';

const pollMs = 100;
/** A process that lives but has not answered for so long is taken for broken. */
const hungMsMax = 10_000;

/** The nodes as the kinds see them; their folders are made. */
export function nodeSites(site: Site, record: EngineRecord): NodeSite[] {
  return record.nodes.map(({ ports }, index) => {
    const folder = nodeFolder(site, record.id, index + 1);
    mkdirSync(folder, { recursive: true });
    return { number: index + 1, folder, ports };
  });
}

export function nodeFolder(site: Site, id: string, number: number): string {
  return join(engineFolder(site, id), `node-${number}`);
}

export function logFile(site: Site, id: string, number: number): string {
  return join(nodeFolder(site, id, number), 'log');
}

/**
 * Starts a process of its own session, whose output goes into a file, and writes down at once which
 * process it is. It stays when this one ends.
 */
export function launch(
  site: Site,
  record: EngineRecord,
  node: NodeSite,
  programs: Programs,
): EngineRecord {
  const { file, args } = programs.command(node);
  const log = openSync(join(node.folder, 'log'), 'a');
  const child = spawn(file, [...args], {
    cwd: node.folder,
    env: environmentOfServers(site.env),
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  // Told by the missing process below.
  child.on('error', () => undefined);
  child.unref();
  const identity = child.pid === undefined ? undefined : identityOf(child.pid);
  if (!identity) throw died(site, record.id, node.number);
  return recorded(site, record, node.number, identity);
}

/** What test runners and Node.js set for themselves is not for the servers. */
export function environmentOfServers(env: Environment): Record<string, string> {
  const dropped = /^(?:NODE_|VITEST|FORCE_COLOR$|NO_COLOR$)/;
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !dropped.test(entry[0]),
    ),
  );
}

function recorded(
  site: Site,
  record: EngineRecord,
  number: number,
  process: EngineNode['process'],
): EngineRecord {
  const nodes = record.nodes.map(({ name, ports, process: before }, index): EngineNode => {
    const now = index === number - 1 ? process : before;
    return { name, ports, ...(now && { process: now }) };
  });
  const next = { ...record, nodes };
  writeRecord(site, next);
  return next;
}

/** Waits until every given node answers. Throws `start-failed` when one of them ends, or all that takes too long. */
export async function untilAllAnswer(
  site: Site,
  record: EngineRecord,
  numbers: readonly number[],
  answers: (port: number) => Promise<boolean>,
  msMax: number,
): Promise<void> {
  const deadline = Date.now() + msMax;
  for (;;) {
    stopIfAborted(site.signal);
    const nodes = numbers.map((number) => ({ number, node: nodeOf(record, number) }));
    const dead = nodes.find(({ node }) => !isRunning(node.process));
    if (dead) throw died(site, record.id, dead.number);
    const answered = await Promise.all(nodes.map(({ node }) => answers(portOf(node))));
    if (answered.every(Boolean)) return;
    if (Date.now() > deadline) {
      const silent = nodes[answered.indexOf(false)]?.number ?? 1;
      const name = `${record.id}/${silent}`;
      throw startFailed(site, record.id, silent, `${name} did not get ready within ${msMax} ms`);
    }
    await delay(pollMs);
  }
}

/** Whether the node runs and answers, with some patience for one that is busy. */
export async function isWell(kind: EngineKind, node: EngineNode): Promise<boolean> {
  const deadline = Date.now() + hungMsMax;
  while (isRunning(node.process)) {
    if (await kind.answers(portOf(node))) return true;
    if (Date.now() > deadline) return false;
    await delay(pollMs);
  }
  return false;
}

/** Ends the processes of these nodes, if they run, and forgets them. */
export async function endNodes(
  site: Site,
  record: EngineRecord,
  numbers: readonly number[],
  graceMs: number,
): Promise<EngineRecord> {
  await Promise.all(
    numbers.map(async (number) => {
      const { process } = nodeOf(record, number);
      if (process) await endProcess(process, graceMs);
    }),
  );
  return numbers.reduce((now, number) => recorded(site, now, number, undefined), record);
}

export function nodeOf(record: EngineRecord, number: number): EngineNode {
  const node = record.nodes[number - 1];
  if (!node) throw new EnginesError('usage', `${record.id} has no node ${number}`);
  return node;
}

export function portOf({ ports }: EngineNode): number {
  return ports[0] as number;
}

export function numbersOf(record: EngineRecord): number[] {
  return record.nodes.map((_node, index) => index + 1);
}

function died(site: Site, id: string, number: number): EnginesError {
  return startFailed(site, id, number, `${id}/${number} ended while it was being started`);
}

function startFailed(site: Site, id: string, number: number, message: string): EnginesError {
  const log = logTail(site, id, number);
  return new EnginesError('start-failed', log === '' ? message : `${message}:\n${log}`);
}

/** The end of what a node printed; empty when it has not printed anything. */
export function logTail(site: Site, id: string, number: number, linesMax?: number): string {
  try {
    return lastLines(readFileSync(logFile(site, id, number), 'utf8'), linesMax);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
