import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRecord } from './engines-folder.ts';
import { clusterSeenBy } from './kinds/kafka/metadata.ts';
import { portOf } from './node-processes.ts';
import { describeInOwnFolder, ownFolder } from './testing/own-folder.ts';
import { up } from './up.ts';

await describeInOwnFolder('kafka', 'Kafka', ({ site, call }) => {
  it('starts, and tells what it printed', async () => {
    const { nodes, url } = await up(site, 'kafka');
    expect(url).toBe(`kafka://127.0.0.1:${portOf(nodes[0]!)}`);
    expect(await clusterSeenBy(portOf(nodes[0]!))).toEqual({ brokers: 1, controller: 1 });
    const logs = await call('logs', 'kafka/1', '--lines', '500');
    expect(logs.out).toContain('Kafka Server started');
  });
});

describe('Java', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'annals-java-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  function javaThatSays(version: string): NodeJS.ProcessEnv {
    const home = join(folder, version);
    mkdirSync(join(home, 'bin'), { recursive: true });
    const java = join(home, 'bin', 'java');
    writeFileSync(java, `#!/bin/sh\necho 'openjdk version "${version}" 2025-01-01' >&2\n`);
    chmodSync(java, 0o755);
    return { PATH: process.env.PATH, JAVA_HOME: home };
  }

  it.each([
    ['kafka', '11.0.2', 'Java 11, and Java 17 or newer is needed'],
    ['kafka', '1.8.0_402', 'Java 8, and Java 17 or newer is needed'],
    ['cassandra', '21.0.1', 'Java 21, and Java 17 is needed'],
  ])('that is too old or too new for %s (%s) is named', async (id, version, message) => {
    const { site } = ownFolder(join(folder, 'engines'));
    const refused = up({ ...site, env: javaThatSays(version) }, id);
    await expect(refused).rejects.toMatchObject({
      code: 'missing-program',
      message: expect.stringContaining(message),
    });
    expect(readRecord(site, id)).toBeUndefined();
  });
});
