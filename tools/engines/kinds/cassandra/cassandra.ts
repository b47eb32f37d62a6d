import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { jarsOf } from '../../jars.ts';
import { ask } from '../../probe.ts';
import { java } from '../../programs.ts';
import type { EngineKind, NodeSite } from '../kind.ts';
import { logsIn } from './log-in.ts';
import { moduleFlags } from './module-flags.ts';

/** One node with 1 GiB of heap, which acknowledges a write when it is on disk. */
export const cassandra: EngineKind = cassandraOf([]);

/** The same, for clients that log in as `cassandra`, with the same password. */
export const cassandraAuth: EngineKind = {
  ...cassandraOf(['authenticator: PasswordAuthenticator', 'role_manager: CassandraRoleManager']),
  // The role is made some time after the node answers.
  isWhole: (port) => logsIn(port, 'cassandra', 'cassandra'),
  url: (addresses) =>
    `cassandra://cassandra:cassandra@${addresses.join(',')}?datacenter=datacenter1`,
};

function cassandraOf(more: readonly string[]): EngineKind {
  return {
    nodes: 1,
    portsPerNode: 3,
    startMsMax: 240_000,
    stopMsMax: 30_000,
    programs: async (site) => {
      // Version 5.0 starts on 11 and 17 only.
      const runtime = await java(site.env, { from: 17, to: 17 });
      const jars = await jarsOf(site, 'cassandra');
      const agent = readdirSync(jars).find((name) => /^jamm-.*\.jar$/.test(name));
      return {
        configure: (node) => writeConfiguration(node, more),
        command: (node) => ({
          file: runtime,
          args: [
            ...['-Xms1g', '-Xmx1g', '-XX:+UseG1GC', '-Djdk.attach.allowAttachSelf=true'],
            ...moduleFlags,
            ...(agent ? [`-javaagent:${join(jars, agent)}`] : []),
            `-Dcassandra.config=${pathToFileURL(join(node.folder, 'cassandra.yaml'))}`,
            `-Dcassandra.storagedir=${join(node.folder, 'data')}`,
            `-Dcassandra.jmx.local.port=${node.ports[2]}`,
            '-Dcassandra.skip_wait_for_gossip_to_settle=0',
            '-Dcassandra.superuser_setup_delay_ms=0',
            '-Dcassandra-foreground=yes',
            // Tests make hundreds of tables; the schema is in the commit log, also without a flush for each.
            '-Dcassandra.test.flush_local_schema_changes=false',
            // The folder of the node is on the class path for its logback.xml.
            ...['-cp', `${node.folder}:${join(jars, '*')}`],
            'org.apache.cassandra.service.CassandraDaemon',
          ],
        }),
        nodetool: (node, args) => ({
          file: runtime,
          args: [
            // It keeps a history of its own in the home of whoever calls it.
            ...[
              '-Xmx128m',
              `-Duser.home=${node.folder}`,
              `-Dcassandra.storagedir=${node.folder}/nodetool`,
            ],
            ...moduleFlags,
            ...['-cp', join(jars, '*'), 'org.apache.cassandra.tools.NodeTool'],
            ...['-h', '127.0.0.1', '-p', String(node.ports[2]), ...args],
          ],
        }),
      };
    },
    answers,
    isWhole: answers,
    url: (addresses) => `cassandra://${addresses.join(',')}?datacenter=datacenter1`,
  };
}

/** OPTIONS of the native protocol, version 4, is answered by SUPPORTED (opcode 6). */
async function answers(port: number): Promise<boolean> {
  const options = Buffer.from([0x04, 0, 0, 0, 0x05, 0, 0, 0, 0]);
  return (await ask(port, options, (answer) => answer[4])) === 0x06;
}

function writeConfiguration(
  { folder, ports: [clients, storage] }: NodeSite,
  more: readonly string[],
): void {
  const data = (name: string): string => JSON.stringify(join(folder, 'data', name));
  const yaml = [
    'cluster_name: annals',
    'num_tokens: 1',
    'partitioner: org.apache.cassandra.dht.Murmur3Partitioner',
    'endpoint_snitch: SimpleSnitch',
    'auto_bootstrap: false',
    'seed_provider:',
    '  - class_name: org.apache.cassandra.locator.SimpleSeedProvider',
    `    parameters: [{ seeds: "127.0.0.1:${storage}" }]`,
    'listen_address: 127.0.0.1',
    'rpc_address: 127.0.0.1',
    `storage_port: ${storage}`,
    `native_transport_port: ${clients}`,
    `data_file_directories: [${data('data')}]`,
    `commitlog_directory: ${data('commitlog')}`,
    `saved_caches_directory: ${data('saved_caches')}`,
    `hints_directory: ${data('hints')}`,
    `cdc_raw_directory: ${data('cdc_raw')}`,
    'commitlog_sync: batch',
    'memtable_allocation_type: heap_buffers',
    // What tests drop is to be gone, and at once: without it each table is flushed and linked first.
    'auto_snapshot: false',
    // A busy machine answers late; that is no reason for a test to fail.
    'read_request_timeout: 20s',
    'range_request_timeout: 20s',
    'write_request_timeout: 20s',
    'cas_contention_timeout: 20s',
    'request_timeout: 20s',
    ...more,
  ];
  writeFileSync(join(folder, 'cassandra.yaml'), `${yaml.join('\n')}\n`);
  writeFileSync(join(folder, 'logback.xml'), logback);
}

const logback = `<configuration>
  <appender name="STDOUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d %-5level [%thread] %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="STDOUT" /></root>
</configuration>
`;
