import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openReplica } from '@annals/event-log-sqlite/replica';
import { expect, it } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { annals, annalsJson, temporaryFolder } from './testing/cli.ts';

it('log snapshot copies a replica, writes over nothing, and knows what is none', async () => {
  const replica = await temporaryFolder();
  const folder = join(await temporaryFolder(), 'copy');
  for (const partition of [0, 1]) openReplica(replica, partition).replica.close();
  const none = await annals(['log', 'snapshot', join(replica, 'none'), folder]);
  expect(none.code).toBe(exitCodes.unavailable);
  expect(none.err).toContain('there is no replica');
  const document = { folder, partitions: 2, events: 0 };
  expect(await annalsJson(['log', 'snapshot', replica, folder])).toEqual(document);
  expect(await readdir(folder)).toEqual(['partition-00000', 'partition-00001']);
  const again = await annals(['log', 'snapshot', replica, folder]);
  expect(again.code).toBe(exitCodes.refused);
});
