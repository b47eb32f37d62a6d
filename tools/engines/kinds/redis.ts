import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from '../probe.ts';
import { program } from '../programs.ts';
import { output } from '../run-program.ts';
import type { EngineKind, NodeSite } from './kind.ts';

const clusterNodeTimeoutMs = 2_000;

/** One redis-server that keeps what it acknowledged also when it is killed, and never evicts. */
export const redis: EngineKind = {
  nodes: 1,
  portsPerNode: 1,
  startMsMax: 30_000,
  stopMsMax: 10_000,
  programs: async ({ env }) => {
    const server = program('redis-server', env);
    return {
      configure: (node) => writeConfiguration(node, []),
      command: () => ({ file: server, args: ['redis.conf'] }),
    };
  },
  answers,
  isWhole: answers,
  url: (addresses) => `redis://${addresses[0]}`,
};

/** Three masters, each with a replica. */
export const redisCluster: EngineKind = {
  ...redis,
  nodes: 6,
  portsPerNode: 2,
  startMsMax: 60_000,
  programs: async ({ env, signal }) => {
    const server = program('redis-server', env);
    const client = program('redis-cli', env);
    return {
      configure: (node) =>
        writeConfiguration(node, [
          'cluster-enabled yes',
          `cluster-port ${node.ports[1]}`,
          `cluster-node-timeout ${clusterNodeTimeoutMs}`,
          // A failover is what tests ask for; it must not depend on how old the replica's link is.
          'cluster-replica-validity-factor 0',
        ]),
      command: () => ({ file: server, args: ['redis.conf'] }),
      form: async (nodes) => {
        const addresses = nodes.map(({ ports }) => `127.0.0.1:${ports[0]}`);
        const create = ['--cluster', 'create', ...addresses, '--cluster-replicas', '1'];
        await output(client, [...create, '--cluster-yes'], { env, signal });
      },
    };
  },
  isWhole: async (port, nodes) => {
    const cluster = await info(port, 'CLUSTER INFO');
    const replication = await info(port, 'INFO replication');
    return (
      /^cluster_state:ok/m.test(cluster) &&
      cluster.includes(`cluster_known_nodes:${nodes}\r`) &&
      !/^cluster_slots_(?:pfail|fail):[1-9]/m.test(cluster) &&
      /^(?:role:master|master_link_status:up)/m.test(replication) &&
      (/^role:slave/m.test(replication) || /^connected_slaves:[1-9]/m.test(replication))
    );
  },
  url: (addresses) => `redis://${addresses.join(',')}?cluster=true`,
};

function writeConfiguration(node: NodeSite, more: readonly string[]): void {
  const lines = [
    'bind 127.0.0.1',
    `port ${node.ports[0]}`,
    'daemonize no',
    // Appended to the file before the answer: a killed server keeps it. Synced once a second only.
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    'maxmemory-policy noeviction',
    ...more,
  ];
  writeFileSync(join(node.folder, 'redis.conf'), `${lines.join('\n')}\n`);
}

/** A server that still loads its file answers -LOADING. */
async function answers(port: number): Promise<boolean> {
  return (await ask(port, 'PING\r\n', lineOf)) === '+PONG';
}

function lineOf(answer: Buffer): string | undefined {
  const end = answer.indexOf('\r\n');
  return end < 0 ? undefined : answer.toString('latin1', 0, end);
}

/** The bulk string that a command answers, else the line of its error; empty when nobody answers. */
async function info(port: number, command: string): Promise<string> {
  const read = (answer: Buffer): string | undefined => {
    const line = lineOf(answer);
    if (line === undefined || !line.startsWith('$')) return line;
    const from = line.length + 2;
    const to = from + Number(line.slice(1));
    return answer.length < to ? undefined : answer.toString('utf8', from, to);
  };
  return (await ask(port, `${command}\r\n`, read)) ?? '';
}
