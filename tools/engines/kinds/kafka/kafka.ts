import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jarsOf } from '../../jars.ts';
import { java } from '../../programs.ts';
import { output } from '../../run-program.ts';
import type { EngineKind, NodeSite } from '../kind.ts';
import { clusterSeenBy, talksKafka } from './metadata.ts';

/** One broker that is its own controller. */
export const kafka: EngineKind = kafkaOf(1);

/** Three brokers: replication 3, two replicas in sync before a write is acknowledged. */
export const kafka3: EngineKind = kafkaOf(3);

/** One broker that clients must tell who they are: `annals`, with the same password. */
export const kafkaSasl: EngineKind = {
  ...kafkaOf(1, saslProperties),
  answers: talksKafka,
  isWhole: talksKafka,
  url: (addresses) => `kafka://annals:annals@${addresses.join(',')}?sasl=plain`,
};

type Properties = { readonly [name: string]: string | number | boolean };

function kafkaOf(brokers: 1 | 3, more: (node: NodeSite) => Properties = () => ({})): EngineKind {
  return {
    nodes: brokers,
    portsPerNode: 2,
    startMsMax: 120_000,
    stopMsMax: 30_000,
    programs: async (site) => {
      const { env, signal } = site;
      const runtime = await java(env, { from: 17 });
      const classes = ['-cp', join(await jarsOf(site, 'kafka'), '*')];
      return {
        configure: (node, nodes) => writeConfiguration(node, nodes, more(node)),
        format: async (nodes) => {
          const cluster = clusterId();
          const format = ['format', '--cluster-id', cluster, '--config', 'server.properties'];
          const tool = [...classes, 'kafka.tools.StorageTool', ...format];
          await Promise.all(
            nodes.map(({ folder }) => output(runtime, tool, { env, signal, cwd: folder })),
          );
        },
        command: () => ({
          file: runtime,
          args: ['-Xms128m', '-Xmx512m', ...classes, 'kafka.Kafka', 'server.properties'],
        }),
      };
    },
    answers: async (port) => (await clusterSeenBy(port)) !== undefined,
    isWhole: async (port, nodes) => {
      const cluster = await clusterSeenBy(port);
      return cluster?.brokers === nodes && cluster.controller >= 0;
    },
    url: (addresses) => `kafka://${addresses.join(',')}`,
  };
}

/** 16 bytes in base64url, as Kafka makes them; tools take one that begins with `-` for an option. */
function clusterId(): string {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? clusterId() : id;
}

function saslProperties({ ports: [clients, controller] }: NodeSite): Properties {
  const module = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
  return {
    listeners: `SASL://127.0.0.1:${clients},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `SASL://127.0.0.1:${clients}`,
    'listener.security.protocol.map': 'SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'SASL',
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    'sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.sasl.plain.sasl.jaas.config': `${module} username="annals" password="annals" user_annals="annals";`,
  };
}

function writeConfiguration(node: NodeSite, nodes: readonly NodeSite[], more: Properties): void {
  const [clients, controller] = node.ports;
  const voters = nodes.map(({ number, ports }) => `${number}@127.0.0.1:${ports[1]}`);
  const replicas = nodes.length;
  const inSync = Math.min(replicas, 2);
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': node.number,
    'controller.quorum.voters': voters.join(','),
    listeners: `PLAINTEXT://127.0.0.1:${clients},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${clients}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(node.folder, 'data').replaceAll('\\', '\\\\'),
    // A topic that nobody created is a mistake that tests want to see.
    'auto.create.topics.enable': false,
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 3,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': 3,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': 3,
    'group.initial.rebalance.delay.ms': 0,
    // A killed broker loses its leaderships, and a slow replica its place, within seconds.
    'broker.heartbeat.interval.ms': 500,
    'broker.session.timeout.ms': 4_000,
    'replica.lag.time.max.ms': 5_000,
    ...more,
  };
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(node.folder, 'server.properties'), lines.join(''));
}
