import { type EngineRecord, holdersAlive, type Site } from './engines-folder.ts';
import { kindOf } from './kinds/kinds.ts';
import { portOf } from './node-processes.ts';
import { isRunning } from './process-identity.ts';

export interface NodeStatus {
  readonly name: string;
  readonly address: string;
  /** `silent`: the process runs, but does not answer. */
  readonly state: 'running' | 'silent' | 'stopped';
  readonly pid: number | undefined;
}

export interface EngineStatus {
  readonly id: string;
  /** `partly`: some of its nodes do not answer, or it was cut off while it was started. */
  readonly state: 'running' | 'partly' | 'stopped';
  /** What configuration takes to name this engine. */
  readonly url: string;
  /** `127.0.0.1:20001` of each node, for clients. */
  readonly addresses: readonly string[];
  readonly nodes: readonly NodeStatus[];
  /** Whether it stays until `down`. */
  readonly pinned: boolean;
  /** How many running processes use it. */
  readonly holders: number;
}

/** Looks at an engine as it is now. */
export async function statusOf(site: Site, record: EngineRecord): Promise<EngineStatus> {
  const kind = kindOf(record.id);
  const nodes = await Promise.all(
    record.nodes.map(async (node): Promise<NodeStatus> => {
      const runs = isRunning(node.process);
      const answers = runs && (await kind.answers(portOf(node)));
      return {
        name: node.name,
        address: `127.0.0.1:${portOf(node)}`,
        state: answers ? 'running' : runs ? 'silent' : 'stopped',
        pid: runs ? node.process?.pid : undefined,
      };
    }),
  );
  return {
    id: record.id,
    state: stateOf(record, nodes),
    url: record.url,
    addresses: nodes.map(({ address }) => address),
    nodes,
    pinned: record.pinned,
    holders: holdersAlive(site, record.id),
  };
}

function stateOf({ formed }: EngineRecord, nodes: readonly NodeStatus[]): EngineStatus['state'] {
  if (nodes.every(({ state }) => state === 'stopped')) return 'stopped';
  return formed && nodes.every(({ state }) => state === 'running') ? 'running' : 'partly';
}
