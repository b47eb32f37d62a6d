import { type EngineRecord, lockFile, readRecord, type Site } from './engines-folder.ts';
import { EnginesError } from './errors.ts';
import { exclusively } from './exclusive.ts';
import type { EngineKind } from './kinds/kind.ts';
import { kindOf } from './kinds/kinds.ts';
import { endNodes, launch, nodeOf, nodeSites, untilAllAnswer } from './node-processes.ts';
import { isRunning, signalProcess } from './process-identity.ts';

/** What can be done to one node of an engine, as tests of faults need it, each with its meaning. */
export const nodeActions = {
  start: 'starts a node that was stopped or killed, with its data, and waits until it answers',
  stop: 'asks a node to end, and waits until it has',
  kill: 'kills a node (SIGKILL)',
  restart: 'stop, then start',
  pause: 'lets a node stand still (SIGSTOP): connections stay open, nothing is answered',
  resume: 'lets a paused node go on (SIGCONT)',
} as const;
export type NodeAction = keyof typeof nodeActions;

/** Does it to one node, named as `kafka3/2`, and waits until it is done. Throws `usage` when there is none. */
export function actOn(site: Site, action: NodeAction, name: string): Promise<EngineRecord> {
  const { id, number } = nodeNamed(name);
  const kind = kindOf(id);
  return exclusively(lockFile(site, id), site.signal, async () => {
    const record = readRecord(site, id);
    if (!record?.formed) throw new EnginesError('usage', `${id} is not up`);
    const running = isRunning(nodeOf(record, number).process);
    switch (action) {
      case 'pause':
        return signalled(record, number, 'SIGSTOP');
      case 'resume':
        return signalled(record, number, 'SIGCONT');
      case 'kill':
        return endNodes(site, record, [number], 0);
      case 'stop':
        return endNodes(site, record, [number], kind.stopMsMax);
      case 'start':
        return running ? record : started(site, kind, record, number);
      case 'restart':
        return started(site, kind, await endNodes(site, record, [number], kind.stopMsMax), number);
    }
  });
}

/** `kafka3/2` → node 2 of `kafka3`. Throws `usage` for what does not name a node. */
export function nodeNamed(name: string): { readonly id: string; readonly number: number } {
  const [, id, number] = /^([^/]+)\/([1-9]\d?)$/.exec(name) ?? [];
  if (!id) throw new EnginesError('usage', `${name} is no node: name one as kafka3/2`);
  return { id, number: Number(number) };
}

function signalled(record: EngineRecord, number: number, signal: NodeJS.Signals): EngineRecord {
  const { process, name } = nodeOf(record, number);
  if (process && signalProcess(process, signal)) return record;
  throw new EnginesError('usage', `${name} does not run`);
}

/** Others may be down on purpose, so only this one has to answer. */
async function started(
  site: Site,
  kind: EngineKind,
  before: EngineRecord,
  number: number,
): Promise<EngineRecord> {
  const programs = await kind.programs(site);
  const sites = nodeSites(site, before);
  const node = sites[number - 1];
  if (!node) throw new EnginesError('usage', `${before.id} has no node ${number}`);
  programs.configure(node, sites);
  const record = launch(site, before, node, programs);
  await untilAllAnswer(site, record, [number], kind.answers, kind.startMsMax);
  return record;
}
