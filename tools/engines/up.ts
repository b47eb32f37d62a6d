import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  addHolder,
  type EngineRecord,
  engineFolder,
  lockFile,
  readRecord,
  type Site,
  writeRecord,
} from './engines-folder.ts';
import { EnginesError, stopIfAborted } from './errors.ts';
import { exclusively } from './exclusive.ts';
import { freePorts } from './free-ports.ts';
import type { EngineKind } from './kinds/kind.ts';
import { kindOf } from './kinds/kinds.ts';
import {
  endNodes,
  environmentOfServers,
  isWell,
  launch,
  nodeFolder,
  nodeSites,
  numbersOf,
  portOf,
  untilAllAnswer,
} from './node-processes.ts';
import { identityOf, isRunning, type ProcessIdentity } from './process-identity.ts';

/** Another program may take a port between our look and the start. */
const freshStartsMax = 3;

/** For whom an engine is started. */
export interface Holder {
  /** The engine goes away some time after this process, and all others that hold it. */
  readonly process: ProcessIdentity;
  readonly lingerMs: number;
}

/**
 * Has an engine run and answer: finds it running, brings back what was killed with its data, or
 * starts it anew. Without a holder it stays until `down`. Callers at once wait for each other.
 */
export function up(site: Site, id: string, holder?: Holder): Promise<EngineRecord> {
  const kind = kindOf(id);
  return exclusively(lockFile(site, id), site.signal, async () => {
    const before = readRecord(site, id);
    const started = await running(site, kind, id, before, holder === undefined);
    if (!holder) return started;
    addHolder(site, id, holder.process);
    return started.pinned ? started : supervised(site, started, holder.lingerMs);
  });
}

async function running(
  site: Site,
  kind: EngineKind,
  id: string,
  before: EngineRecord | undefined,
  pinned: boolean,
): Promise<EngineRecord> {
  if (before && !before.formed) await endNodes(site, before, numbersOf(before), 0);
  if (!before?.formed) return startedAnew(site, kind, id, pinned);
  const kept = { ...before, pinned: before.pinned || pinned };
  try {
    return await revived(site, kind, kept);
  } catch (error) {
    if (site.signal.aborted || !(error instanceof EnginesError) || error.code !== 'start-failed') {
      throw error;
    }
    if (kept.pinned) {
      const message = `${error.message}\nIts data is kept; npm run engines -- down --wipe ${id} gives it up`;
      throw new EnginesError(error.code, message, { cause: error });
    }
    // What a test run left behind holds nothing that anybody wants.
    await endNodes(site, kept, numbersOf(kept), 0);
    return startedAnew(site, kind, id, pinned);
  }
}

/** Starts what does not run or does not answer, where it stood, with its data. */
async function revived(site: Site, kind: EngineKind, before: EngineRecord): Promise<EngineRecord> {
  const well = await Promise.all(before.nodes.map((node) => isWell(kind, node)));
  const broken = numbersOf(before).filter((number) => !well[number - 1]);
  let record = before;
  writeRecord(site, record);
  if (broken.length > 0) {
    const programs = await kind.programs(site);
    site.say(`starting ${broken.map((number) => `${record.id}/${number}`).join(', ')} again`);
    record = await endNodes(site, record, broken, 0);
    const sites = nodeSites(site, record);
    for (const node of sites.filter(({ number }) => broken.includes(number))) {
      programs.configure(node, sites);
      record = launch(site, record, node, programs);
    }
  }
  await untilWhole(site, kind, record);
  return record;
}

function untilWhole(site: Site, kind: EngineKind, record: EngineRecord): Promise<void> {
  const isWhole = (port: number) => kind.isWhole(port, record.nodes.length);
  return untilAllAnswer(site, record, numbersOf(record), isWhole, kind.startMsMax);
}

async function startedAnew(
  site: Site,
  kind: EngineKind,
  id: string,
  pinned: boolean,
): Promise<EngineRecord> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startedOnce(site, kind, id, pinned);
    } catch (error) {
      if (attempt >= freshStartsMax || !isPortTaken(error)) throw error;
      stopIfAborted(site.signal);
    }
  }
}

function isPortTaken(error: unknown): boolean {
  return (
    error instanceof EnginesError &&
    error.code === 'start-failed' &&
    /address already in use|already in use by another process|failed to bind/i.test(error.message)
  );
}

async function startedOnce(
  site: Site,
  kind: EngineKind,
  id: string,
  pinned: boolean,
): Promise<EngineRecord> {
  const programs = await kind.programs(site);
  wipe(site, id);
  let record = await newRecord(site, kind, id, pinned);
  writeRecord(site, record);
  site.say(`starting ${id}`);
  try {
    const nodes = nodeSites(site, record);
    for (const node of nodes) programs.configure(node, nodes);
    await programs.format?.(nodes);
    for (const node of nodes) record = launch(site, record, node, programs);
    await untilAllAnswer(site, record, numbersOf(record), kind.answers, kind.startMsMax);
    await programs.form?.(nodes);
    await untilWhole(site, kind, record);
  } catch (error) {
    await endNodes(site, record, numbersOf(record), 0);
    throw error;
  }
  record = { ...record, formed: true };
  writeRecord(site, record);
  return record;
}

async function newRecord(
  site: Site,
  kind: EngineKind,
  id: string,
  pinned: boolean,
): Promise<EngineRecord> {
  const ports = await freePorts(kind.nodes * kind.portsPerNode);
  const nodes = Array.from({ length: kind.nodes }, (_node, index) => ({
    name: `${id}/${index + 1}`,
    ports: ports.slice(index * kind.portsPerNode, (index + 1) * kind.portsPerNode),
  }));
  const url = kind.url(
    nodes.map((node) => `127.0.0.1:${portOf(node)}`),
    nodes.map((_node, index) => nodeFolder(site, id, index + 1)),
  );
  return { format: 1, id, formed: false, pinned, url, nodes };
}

/** Removes all that an engine has on the disk. Its processes have ended. */
export function wipe(site: Site, id: string): void {
  rmSync(engineFolder(site, id), { recursive: true, force: true, maxRetries: 5 });
}

/** Has one supervisor, and only one, look after an engine that goes away by itself. */
function supervised(site: Site, record: EngineRecord, lingerMs: number): EngineRecord {
  if (isRunning(record.supervisor)) return record;
  const program = join(import.meta.dirname, 'supervisor.ts');
  const child = spawn(process.execPath, [program, record.id, String(lingerMs)], {
    env: { ...environmentOfServers(site.env), ANNALS_ENGINES_FOLDER: site.folder },
    stdio: 'ignore',
    detached: true,
  });
  child.on('error', () => undefined);
  child.unref();
  const supervisor = child.pid === undefined ? undefined : identityOf(child.pid);
  if (!supervisor) throw new EnginesError('start-failed', 'the supervisor could not be started');
  const next = { ...record, supervisor };
  writeRecord(site, next);
  return next;
}
