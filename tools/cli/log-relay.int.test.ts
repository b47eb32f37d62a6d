import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeOn } from '@annals/core/testing';
import { kafkaEventLog } from '@annals/event-log-kafka';
import { expect, it } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { annals, annalsJson, temporaryFolder } from './testing/cli.ts';
import { appendScores, scoredFolder } from './testing/data-folder.ts';

await describeOn('kafka', 'log relay', (kafka) => {
  it('sends what is new since the last time, and keeps how far it came', async () => {
    const folder = await scoredFolder(30);
    const topic = `cli-${randomUUID()}`;
    const progress = join(folder, 'relay.checkpoint');
    const brokers = kafka.addresses.join(',');
    const argv = ['log', 'relay', '--to-topic', topic, '--brokers', brokers];
    argv.push('--progress', progress, '--data', folder);
    const missing = await annals(argv);
    expect(missing.code).not.toBe(exitCodes.ok);
    expect(missing.err).toContain('make it first');
    // Any topic will do: this is a quick way to have one made.
    const replica = await temporaryFolder();
    const connection = { brokers: kafka.addresses };
    const made = await kafkaEventLog({ connection, topic, folder: replica, partitions: 2 });
    expect(await annalsJson(argv)).toEqual({ topic, events: 30 });
    expect(await readFile(progress, 'utf8')).toMatch(/^0:0+30\n$/);
    expect(await annalsJson(argv)).toEqual({ topic, events: 0 });
    await appendScores(folder, 30, 35);
    expect(await annalsJson(argv)).toEqual({ topic, events: 5 });
    // To a log they are records of others: all of them arrived, and it skips each.
    const foreign = () => made.status().reduce((sum, one) => sum + one.foreign, 0);
    await expect.poll(foreign, { timeout: 20_000 }).toBe(35);
    await made.close();
    await writeFile(progress, 'yesterday\n');
    const broken = await annals(argv);
    expect(broken).toMatchObject({ code: exitCodes.usage });
    expect(broken.err).toContain('holds no checkpoint');
  }, 120_000);
});

it('wrong brokers are refused before anything is opened', async () => {
  const folder = await temporaryFolder();
  const argv = ['log', 'relay', '--to-topic', 'x', '--progress', join(folder, 'p')];
  const { code, err } = await annals([...argv, '--brokers', 'http://kafka', '--data', folder]);
  expect({ code, err }).toMatchObject({ code: exitCodes.usage });
  expect(err).toContain('host:port');
});
