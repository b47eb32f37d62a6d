import { systemClock } from '@annals/core';
import { describeOn, engine } from '@annals/core/testing';
import type { GenerationStore, RowChange } from '@annals/projection';
import { at, entries, entry, putEntry, rowsOf, Share } from '@annals/projection/contract';
import { expect, onTestFinished, test } from 'vitest';
import { redisProjectionStore } from './index.ts';
import { connected, openSample } from './testing/opened.ts';

function changesOf(n: number): RowChange[] {
  return Array.from({ length: 40 }, (_, row) => putEntry(entry('b', `p${row}`, n + row)));
}

const rowsAfter = (n: number) => Array.from({ length: 40 }, (_, row) => n + row);

/** Commits batches up to `last`, whatever comes between, as a projector does: an unknown outcome is sent again. */
async function applyUpTo(generation: GenerationStore, last: number): Promise<number[]> {
  const begun: number[] = [];
  const deadline = Date.now() + 90_000;
  for (;;) {
    if (Date.now() > deadline) throw new Error('the batches are not applied in time');
    try {
      const share = await Share.take(generation);
      let n = Number(share.checkpoint[0] ?? 0);
      begun.push(n);
      for (let fresh = true; n < last && fresh; ) {
        const { kind } = await share.send(share.batch(changesOf(n + 1)));
        fresh = kind === 'applied' || kind === 'already-applied';
        if (fresh) n += 1;
      }
      if (n === last) return begun;
    } catch {
      await systemClock.sleep(100);
    }
  }
}

async function scores(generation: GenerationStore): Promise<number[]> {
  const rows = await rowsOf(generation, entries);
  return rows.map(({ score }) => score as number).sort((a, b) => a - b);
}

await describeOn(
  'redis-cluster',
  'A cluster that fails over',
  (cluster) => {
    interface Node {
      /** From 1. */
      readonly number: number;
      readonly id: string;
      readonly masterId: string | undefined;
      readonly slots: readonly (readonly [first: number, last: number])[];
    }

    async function nodes(): Promise<Node[]> {
      const said = String(await connected(cluster.url).call('CLUSTER', 'NODES'));
      return said
        .trim()
        .split('\n')
        .filter((line) => !/fail|noaddr|handshake/.test(line.split(' ')[2] ?? ''))
        .map((line) => {
          const [id = '', address = '', , master = '-', , , , , ...slots] = line.split(' ');
          const number = cluster.addresses.indexOf(address.split('@')[0] as string) + 1;
          const ranges = slots.map((range) => range.split('-').map(Number) as [number, number]);
          return { number, id, masterId: master === '-' ? undefined : master, slots: ranges };
        });
    }

    async function masterAndReplica() {
      const all = await nodes();
      const replica = all.find(({ masterId }) => masterId !== undefined);
      const master = all.find(({ id }) => id === replica?.masterId);
      if (!master || !replica) throw new Error('there is no master with a replica');
      return { master, replica };
    }

    /** Waits until every master has a replica that holds all it has: what an earlier test killed is back. */
    async function whole(): Promise<void> {
      for (const address of cluster.addresses) {
        const replication = async () =>
          String(await connected(`redis://${address}`).call('INFO', 'replication'));
        await expect
          .poll(replication, { timeout: 60_000 })
          .toMatch(/master_link_status:up|state=online/);
      }
    }

    test('goes on with the promoted replica, and counts everything once', async () => {
      const { generation } = await openSample(cluster.url, { shards: 6 });
      await applyUpTo(generation, 3);
      await generation.finishBuilding?.();
      const { master } = await masterAndReplica();
      const applying = applyUpTo(generation, 400);
      await cluster.act('kill', master.number);
      await applying;
      expect(await generation.checkpoint()).toEqual(at(400));
      expect(await scores(generation)).toEqual(rowsAfter(400));
      await cluster.act('start', master.number);
    }, 180_000);

    test('that lost the last writes of one master: all shards go back, and nothing counts twice', async () => {
      await whole();
      const { generation } = await openSample(cluster.url, { shards: 6 });
      await applyUpTo(generation, 3);
      await generation.finishBuilding?.();
      // A replica that is away while more is written is behind when it is promoted.
      const { master, replica } = await masterAndReplica();
      await cluster.act('kill', replica.number);
      await applyUpTo(generation, 8);
      await cluster.act('kill', master.number);
      await cluster.act('start', replica.number);
      const begun = await applyUpTo(generation, 12);
      expect(begun).toContain(3);
      expect(await scores(generation)).toEqual(rowsAfter(12));
      await cluster.act('start', master.number);
    }, 180_000);
  },
  { label: 'failover' },
);

await describeOn(
  'redis',
  'A replica that is promoted',
  (master) => {
    test('has what had come to it, and the projector applies the rest again', async () => {
      const answer = await engine('redis', { label: 'promoted' });
      if (answer.kind === 'missing') throw new Error(answer.reason);
      const replica = connected(answer.engine.url);
      const [host, port] = (master.addresses[0] as string).split(':') as [string, string];
      const { generation, prefix } = await openSample(master.url, { shards: 3 });
      await replica.call('REPLICAOF', host, port);
      await applyUpTo(generation, 3);
      const linked = async () => String(await replica.call('INFO', 'replication'));
      await expect.poll(linked, { timeout: 20_000 }).toContain('master_link_status:up');
      await generation.finishBuilding?.();
      await applyUpTo(generation, 5);
      await replica.call('REPLICAOF', 'NO', 'ONE');
      await applyUpTo(generation, 9);
      const { url } = answer.engine;
      const store = redisProjectionStore({ url, projection: 'sample', prefix, clock: systemClock });
      onTestFinished(() => store.close());
      const promoted = await store.open(1);
      if (promoted === 'lost') throw new Error('the replica has nothing');
      const begun = await applyUpTo(promoted, 9);
      expect(begun[0]).toBeLessThanOrEqual(5);
      expect(await scores(promoted)).toEqual(rowsAfter(9));
      expect(await scores(promoted)).toEqual(await scores(generation));
    }, 60_000);
  },
  { label: 'master' },
);
