import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, newId, systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import { sampleEvent } from '@annals/event-log/contract';
import { kafkaEventLog } from '@annals/event-log-kafka';
import { plainTopic, removeTopic } from '@annals/event-log-kafka/testing';
import { sqliteEventLog } from '@annals/event-log-sqlite';
import { dataLayout, kafkaConnectionTo, parseLogUrl } from '@annals/projector';
import { expect, it, onTestFinished } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { annals, annalsJson, temporaryFolder } from './testing/cli.ts';
import { appendScores, scoredFolder } from './testing/data-folder.ts';

const largeId = newId();

async function appendLarge(folder: string): Promise<void> {
  const log = await sqliteEventLog({ folder: dataLayout(folder).log });
  const event = sampleEvent({ data: { text: 'x'.repeat(5_000) } }, { id: largeId });
  await log.append('sample-1', [event], { expected: 'any' });
  await log.close();
}

await describeOn('kafka', 'log relay', (kafka) => {
  const brokers = kafka.addresses;
  const relayTo = (topic: string, progress: string, ...more: string[]) => [
    ...['log', 'relay', '--to-topic', topic, '--brokers', brokers.join(',')],
    ...['--progress', progress, ...more],
  ];

  it('sends what is new since the last time, and keeps how far it came', async () => {
    const folder = await scoredFolder(30);
    const progress = join(folder, 'relay.checkpoint');
    const nowhere = await annals(relayTo(`none-${randomUUID()}`, progress, '--data', folder));
    expect(nowhere.code).not.toBe(exitCodes.ok);
    expect(nowhere.err).toContain('make it first');
    const { topic, relayed } = await plainTopic(brokers);
    const argv = relayTo(topic, progress, '--data', folder);
    const first = await annals(argv);
    // On a busy machine it tells on the way how far it came.
    expect(first).toMatchObject({ code: exitCodes.ok, out: `30 events sent to ${topic}\n` });
    expect(JSON.parse(await readFile(progress, 'utf8'))).toMatchObject({
      topic: expect.stringContaining(`/${topic}`),
      events: 30,
      checkpoint: expect.stringMatching(/^0:0+30$/),
      last: expect.stringMatching(/^0:0+30:\d+:[0-9a-f-]{36}$/),
    });
    expect(await annalsJson(argv)).toEqual({ topic, events: 0 });
    await appendScores(folder, 30, 35);
    expect(await annalsJson(argv)).toEqual({ topic, events: 5 });
    expect(new Set((await relayed()).map((one) => one.id)).size).toBe(35);
    for (const text of ['yesterday\n', '0:0000000000000030\n', '{"topic":"x"}']) {
      await writeFile(progress, text);
      const broken = await annals(argv);
      expect(broken).toMatchObject({ code: exitCodes.usage });
      expect(broken.err).toContain('holds no progress of a relay');
    }
  }, 120_000);

  it('refuses the progress of another log, topic or choice: nothing is left out in silence', async () => {
    const folder = await scoredFolder(40);
    const progress = join(folder, 'relay.checkpoint');
    const { topic, size } = await plainTopic(brokers);
    await annalsJson(relayTo(topic, progress, '--data', folder));
    const kept = await readFile(progress, 'utf8');
    const refusal = async (argv: string[]) => {
      const { code, err } = await annals(argv);
      expect({ code, err }).toMatchObject({ code: exitCodes.refused });
      expect(err).toContain('Nothing was sent');
      expect(await readFile(progress, 'utf8')).toBe(kept);
      return err;
    };
    const longer = await temporaryFolder();
    await appendScores(longer, 1_000, 1_100);
    const other = await refusal(relayTo(topic, progress, '--data', longer));
    expect(other).toContain('is of another log than this one');
    expect(other).toContain('--moved-from');
    const shorter = await refusal(relayTo(topic, progress, '--data', await scoredFolder(10)));
    expect(shorter).toContain('went on to');
    const elsewhere = await plainTopic(brokers);
    const err = await refusal(relayTo(elsewhere.topic, progress, '--data', folder));
    expect(err).toContain('give each topic a file of its own');
    const chosen = relayTo(topic, progress, '--data', folder, '--category', 'scores');
    expect(await refusal(chosen)).toContain('other categories (all)');
    expect([await size(), await elsewhere.size()]).toEqual([40, 0]);
    await removeTopic(brokers, topic);
    await plainTopic(brokers, {}, topic);
    expect(await refusal(relayTo(topic, progress, '--data', folder))).toContain('made anew since');
  }, 120_000);

  it('after the log was copied it goes on where it was, told the old log: nothing is left out', async () => {
    const folder = await scoredFolder(200);
    const progress = join(folder, 'relay.checkpoint');
    const { topic, relayed } = await plainTopic(brokers);
    await annalsJson(relayTo(topic, progress, '--data', folder));
    const moveTo = async (from: string, to: string) => {
      await annalsJson(['log', 'copy', '--from', `sqlite:${from}`, '--to', `sqlite:${to}`]);
      return relayTo(topic, progress, '--data', to, '--moved-from', `sqlite:${from}`);
    };
    const second = await temporaryFolder();
    const moving = await moveTo(folder, second);
    await appendScores(second, 200, 220);
    // All of the old log was sent: nothing comes again.
    expect(await annalsJson(moving)).toEqual({ topic, events: 20 });
    await appendScores(second, 220, 225);
    const going = relayTo(topic, progress, '--data', second);
    expect(await annalsJson(going)).toEqual({ topic, events: 5 });
    expect((await relayed()).map((one) => one.id)).toHaveLength(225);
    // These are in the second log, and not sent; a copy has them in another order between streams.
    await appendScores(second, 225, 255);
    const third = await temporaryFolder();
    const again = await moveTo(second, third);
    await appendScores(third, 255, 275);
    await annalsJson(again);
    const ids = new Set((await relayed()).map((one) => one.id));
    expect(ids.size).toBe(275);
    const none = ['--data', await scoredFolder(9), '--moved-from', `sqlite:${third}`];
    const refused = await annals(relayTo(topic, progress, ...none));
    expect(refused).toMatchObject({ code: exitCodes.refused });
  }, 120_000);

  it('refuses the topic of a log, its own or another one, and writes nothing into it', async () => {
    const folder = await scoredFolder(5);
    const env = { ANNALS_DATA: await temporaryFolder() };
    const topic = `cli-${randomUUID()}`;
    onTestFinished(() => removeTopic(brokers, topic));
    const connection = { brokers };
    const made = await kafkaEventLog({ connection, topic, folder: await temporaryFolder() });
    onTestFinished(() => made.close());
    const progress = join(folder, 'relay.checkpoint');
    const url = `kafka://${brokers.join(',')}/${topic}`;
    const refused = async (...more: string[]) => {
      const { code, err } = await annals(relayTo(topic, progress, ...more), { env });
      expect({ code, err }).toMatchObject({ code: exitCodes.refused });
      expect(err).toContain('holds a log');
    };
    // Without any record yet only the log itself can tell.
    await refused('--log', url);
    await made.append('sample-1', [sampleEvent()], { expected: 'any' });
    await refused('--log', url);
    await refused('--data', folder);
    await made.barrier('sample-1');
    expect(made.status().reduce((sum, one) => sum + one.foreign, 0)).toBe(0);
  }, 120_000);

  it('shows how far it came on a terminal, of the catching up and of the relay; never with --json', async () => {
    const folder = await scoredFolder(3_000);
    const url = `kafka://${brokers.join(',')}/cli-${randomUUID()}?partitions=1`;
    await annalsJson(['log', 'copy', '--from', `sqlite:${folder}`, '--to', url]);
    onTestFinished(() => removeTopic(brokers, new URL(url).pathname.slice(1)));
    // A clock on which everything takes long.
    let now = Date.now();
    const clock: Clock = { ...systemClock, now: () => (now += 1_000) };
    const run = async (argv: string[], isTerminal: boolean) => {
      const env = { ANNALS_DATA: await temporaryFolder(), ANNALS_LOG: url };
      return annals(argv, { env, isTerminal, clock });
    };
    const head = await run(['log', 'head'], true);
    expect(head.code).toBe(exitCodes.ok);
    expect(head.err).toMatch(/reading the log .*100%/);
    const { topic } = await plainTopic(brokers);
    const progress = () => join(folder, `${randomUUID()}.checkpoint`);
    const relayed = await run(relayTo(topic, progress()), true);
    expect(relayed.err).toMatch(/relaying .*100% \| 3,000\/3,000 events/);
    for (const argv of [['log', 'head'], relayTo(topic, progress())]) {
      const quiet = await run([...argv, '--json'], true);
      expect({ code: quiet.code, err: quiet.err }).toEqual({ code: exitCodes.ok, err: '' });
      JSON.parse(quiet.out);
    }
  }, 120_000);

  it('ends at an event that the topic does not take, and goes on once it does', async () => {
    const folder = await scoredFolder(3);
    await appendLarge(folder);
    await appendScores(folder, 3, 6);
    const progress = join(folder, 'relay.checkpoint');
    const { topic, alter, relayed } = await plainTopic(brokers, { 'max.message.bytes': '1000' });
    const began = performance.now();
    const { code, err, out } = await annals(relayTo(topic, progress, '--data', folder, '--json'));
    expect({ code, out }).toEqual({ code: exitCodes.refused, out: '' });
    expect(err).toContain(largeId);
    expect(err).toContain(`raise max.message.bytes of ${topic}`);
    expect(performance.now() - began).toBeLessThan(20_000);
    await alter({ 'max.message.bytes': '100000' });
    await expect
      .poll(async () => (await annals(relayTo(topic, progress, '--data', folder))).code, {
        timeout: 20_000,
      })
      .toBe(exitCodes.ok);
    expect(new Set((await relayed()).map((one) => one.id)).size).toBe(7);
  }, 120_000);
});

await describeOn('kafka-sasl', 'log relay to a Kafka that asks for a password', (kafka) => {
  it('has a user and a password in the URL, and shows no password', async () => {
    const folder = await scoredFolder(12);
    const place = parseLogUrl(kafka.url);
    if (place.kind !== 'kafka') throw new Error(`${kafka.url} is no Kafka`);
    const { topic, size } = await plainTopic(kafkaConnectionTo(place));
    const relayTo = (url: string, ...more: string[]) => {
      const progress = join(folder, 'relay.checkpoint');
      return ['log', 'relay', '--brokers', url, '--progress', progress, '--data', folder, ...more];
    };
    const wrong = await annals(
      relayTo(kafka.url.replace(':annals@', ':secret@'), '--to-topic', topic),
    );
    expect(wrong.code).not.toBe(exitCodes.ok);
    expect(wrong.err).toMatch(/[Aa]uthentication/);
    expect(wrong.err).not.toContain('secret');
    const named = kafka.url.replace('?', `/${topic}?`);
    expect(await annalsJson(relayTo(named))).toEqual({ topic, events: 12 });
    expect(await annalsJson(relayTo(kafka.url, '--to-topic', topic))).toEqual({ topic, events: 0 });
    expect(await size()).toBe(12);
  }, 120_000);
});

it('says in one line that no broker is there', async () => {
  const folder = await scoredFolder(3);
  const argv = ['log', 'relay', '--to-topic', 'x', '--brokers', '127.0.0.1:1'];
  const { code, err } = await annals([...argv, '--progress', join(folder, 'p'), '--data', folder]);
  expect(code).toBe(exitCodes.unavailable);
  expect(err).toMatch(/^annals: Kafka at .*127\.0\.0\.1:1.*\n$/);
}, 60_000);

it.each([
  ['http://kafka', 'host:port'],
  ['kafka', 'host:port'],
  ['kafka://ann:secret@h:x', 'has no host and port in "h:x"'],
  ['kafka://ann:secret@h:1/other', '--to-topic is x, and --brokers names other'],
  ['kafka://ann:secret@h:1?sasl=digest', 'has sasl=digest, which is none of'],
  ['kafka://ann:secret@h:1?partitions=3&bodies=9', 'has partitions, bodies, which only a log has'],
])('brokers %s are refused before anything is opened', async (brokers, problem) => {
  const folder = await temporaryFolder();
  const argv = ['log', 'relay', '--to-topic', 'x', '--progress', join(folder, 'p')];
  const { code, err } = await annals([...argv, '--brokers', brokers, '--data', folder]);
  expect({ code, err }).toMatchObject({ code: exitCodes.usage });
  expect(err).toContain(problem);
  expect(err).not.toContain('secret');
});
