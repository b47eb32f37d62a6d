import { randomUUID } from 'node:crypto';
import { cp } from 'node:fs/promises';
import { describeOn, engine } from '@annals/core/testing';
import { topicSize } from '@annals/event-log-kafka/testing';
import { dataLayout } from '@annals/projector';
import { expect, it } from 'vitest';
import { annals, annalsJson, startAnnals, temporaryFolder } from './testing/cli.ts';
import { appendScores, namePlayer, scoredFolder } from './testing/data-folder.ts';

interface Copied {
  readonly events: number;
  readonly added: number;
  readonly hash: string;
}

const eventstoredb = await engine('eventstoredb');

/** Counts and hashes of all tables of the leaderboard, replayed from the log in a folder. */
async function replayed(folder: string): Promise<unknown> {
  const data = ['leaderboard', '--data', folder];
  await annalsJson(['rebuild', ...data]);
  const verified = await annalsJson<{ readonly tables: unknown }>(['verify', ...data]);
  return verified.tables;
}

await describeOn('kafka', 'log copy', (kafka) => {
  const [broker] = kafka.addresses;
  const kafkaUrl = () => `kafka://${broker}/copy-${randomUUID()}?partitions=3`;
  const esdbUrl = () => {
    if (eventstoredb.kind === 'missing') throw new Error(eventstoredb.reason);
    const { url } = eventstoredb.engine;
    return `${url}${url.includes('?') ? '&' : '?'}prefix=copy_${randomUUID().slice(0, 8)}.`;
  };

  it('SQLite, Kafka, EventStoreDB and SQLite again: one hash, and the same read models', async () => {
    const first = await scoredFolder(2_000);
    await namePlayer(first, 'user-1', 'Zoë');
    const last = await temporaryFolder();
    const env = { ANNALS_DATA: await temporaryFolder() };
    const places = [`sqlite:${first}`, kafkaUrl(), esdbUrl(), `sqlite:${last}`];
    const hashes: string[] = [];
    for (const [index, to] of places.entries()) {
      const from = places[index - 1];
      if (from === undefined) continue;
      const copied = await annalsJson<Copied>(['log', 'copy', '--from', from, '--to', to], { env });
      expect(copied).toMatchObject({ events: 2_001, added: 2_001 });
      hashes.push(copied.hash);
      const verify = ['log', 'verify', '--log', from, '--against', to];
      expect(await annalsJson(verify, { env })).toMatchObject({ sound: true, hash: copied.hash });
    }
    expect(new Set(hashes).size).toBe(1);
    // Keys are no part of a log: they stay with their owner.
    await cp(dataLayout(first).keys, dataLayout(last).keys, { recursive: true });
    await cp(dataLayout(first).masterKeyFile, dataLayout(last).masterKeyFile);
    expect(await replayed(last)).toEqual(await replayed(first));
  }, 240_000);

  it('a log is not copied to itself, whatever the broker is called', async () => {
    const url = kafkaUrl();
    const env = { ANNALS_DATA: await temporaryFolder() };
    await annalsJson(['log', 'copy', '--from', `sqlite:${await scoredFolder(3)}`, '--to', url], {
      env,
    });
    for (const to of [`${url}&compression=gzip`, url.replace('127.0.0.1', 'localhost')]) {
      const { code, err } = await annals(['log', 'copy', '--from', url, '--to', to], { env });
      expect({ code, err }).toMatchObject({
        code: 2,
        err: expect.stringContaining('the same log'),
      });
    }
  }, 120_000);

  it('a live move: killed on the way, run again while scores come, cut over when they end', async () => {
    const total = 20_000;
    const folder = await scoredFolder(total);
    const to = kafkaUrl();
    const topic = new URL(to).pathname.slice(1);
    const argv = ['log', 'copy', '--from', `sqlite:${folder}`, '--to', to];
    const env = { ANNALS_DATA: await temporaryFolder() };
    const victim = startAnnals(argv, env);
    const size = () => topicSize(kafka.addresses, topic);
    await expect.poll(size, { timeout: 60_000, interval: 10 }).toBeGreaterThan(0);
    victim.child.kill('SIGKILL');
    expect((await victim.ended).code).toBeNull();
    const copied = await annalsJson<{ readonly events: number }>(['log', 'head', '--log', to], {
      env: { ANNALS_DATA: await temporaryFolder() },
    });
    expect(copied.events).toBeGreaterThan(0);
    expect(copied.events).toBeLessThan(total);
    const running = annalsJson<Copied>([...argv, '--cut-over', '3'], { env });
    for (let from = total; from < total + 500; from += 100) {
      await appendScores(folder, from, from + 100);
    }
    const { events, added, hash } = await running;
    expect(events).toBe(total + 500);
    // What was there before was not copied again.
    expect(added).toBeLessThan(total + 500);
    const verify = ['log', 'verify', '--data', folder];
    expect(await annalsJson(verify)).toMatchObject({ sound: true, hash });
    // A topic that holds another log is refused.
    const other = ['log', 'copy', '--from', `sqlite:${await scoredFolder(5)}`, '--to', to];
    const refused = await annals(other, { env });
    expect(refused.code).toBe(3);
    expect(refused.err).toContain('nothing was stored');
  }, 240_000);
});
