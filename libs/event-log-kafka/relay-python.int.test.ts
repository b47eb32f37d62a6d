import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describeOn } from '@annals/core/testing';
import { memoryEventLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, onTestFinished, test } from 'vitest';
import { relayLog } from './index.ts';
import { kafkaClient } from './kafka-connection.ts';
import { freshFolder } from './testing/fresh-follower.ts';
import { pythonClient } from './testing/python-client.ts';
import { removeTopic } from './testing/remove-topic.ts';

const page = join(import.meta.dirname, '..', '..', 'docs', 'kafka.md');
const python = await pythonClient();
const why = python.kind === 'missing' ? `: skipped, ${python.reason}` : '';

/** The program of the documentation. */
async function program(): Promise<string> {
  const [, source] = /```python\n([\s\S]*?)```/.exec(await readFile(page, 'utf8')) ?? [];
  if (source === undefined) throw new Error('docs/kafka.md has no Python program any more');
  const file = join(freshFolder(), 'points.py');
  await writeFile(file, source);
  return file;
}

await describeOn('kafka', 'a consumer in Python', (kafka) => {
  const brokers = kafka.addresses;

  test.skipIf(python.kind === 'missing')(
    `the program of docs/kafka.md counts each event once, also when it comes again${why}`,
    async () => {
      if (python.kind === 'missing') return;
      const topic = `python-${randomUUID()}`;
      const admin = kafkaClient(
        { brokers },
        { requestMsMax: 10_000, retries: 3 },
        () => undefined,
      ).admin();
      await admin.connect();
      await admin.createTopics({ topics: [{ topic, numPartitions: 3 }], waitForLeaders: false });
      await admin.disconnect();
      onTestFinished(() => removeTopic(brokers, topic));
      const log = memoryEventLog({ partitions: 2 });
      for (let round = 0; round < 60; round += 1) {
        const event = sampleEvent({ data: { points: round } });
        await log.append(`player-${round % 7}`, [event], { expected: 'any' });
      }
      const relay = () =>
        relayLog({
          log,
          connection: { brokers },
          topic,
          from: {},
          until: 'head',
          onRelayed: async () => undefined,
        });
      await expect.poll(() => relay().catch(() => 0), { timeout: 30_000 }).toBe(60);
      // As after a failure: everything once more.
      await relay();
      const run = promisify(execFile);
      const argv = [await program(), brokers.join(','), topic, '60'];
      const { stdout } = await run('python3', argv, { env: python.env, timeout: 90_000 });
      const sums = Array.from({ length: 7 }, (_, player) => {
        const rounds = Array.from({ length: 60 }, (__, round) => round);
        const own = rounds.filter((round) => round % 7 === player);
        return [`player-${player}`, own.reduce((sum, points) => sum + points, 0)] as const;
      });
      expect(JSON.parse(stdout)).toEqual(Object.fromEntries(sums));
    },
    180_000,
  );
});
