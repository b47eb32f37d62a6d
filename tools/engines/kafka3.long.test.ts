import { expect, it } from 'vitest';
import { readRecord } from './engines-folder.ts';
import { clusterSeenBy } from './kinds/kafka/metadata.ts';
import { actOn } from './node-actions.ts';
import { portOf } from './node-processes.ts';
import { isRunning } from './process-identity.ts';
import { statusOf } from './status.ts';
import { describeInOwnFolder, until } from './testing/own-folder.ts';
import { up } from './up.ts';

await describeInOwnFolder('kafka3', 'three brokers', ({ site }) => {
  it('know each other, go on with two, and take the third back', async () => {
    const { nodes } = await up(site, 'kafka3');
    const brokers = async (number: number) =>
      (await clusterSeenBy(portOf(nodes[number - 1]!)))?.brokers;
    expect(await Promise.all([1, 2, 3].map(brokers))).toEqual([3, 3, 3]);
    await actOn(site, 'kill', 'kafka3/2');
    await until('the others see that it is gone', async () => (await brokers(1)) === 2);
    const partly = readRecord(site, 'kafka3');
    expect(partly?.nodes.map(({ process: one }) => isRunning(one))).toEqual([true, false, true]);
    expect(partly && (await statusOf(site, partly)).state).toBe('partly');
    await actOn(site, 'start', 'kafka3/2');
    await until('all are there again', async () => (await brokers(1)) === 3);
    await actOn(site, 'stop', 'kafka3/3');
    await up(site, 'kafka3');
    expect(await Promise.all([1, 2, 3].map(brokers))).toEqual([3, 3, 3]);
  });
});
