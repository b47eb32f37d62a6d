import { systemClock } from '@annals/core';
import { Share, sampleSpec } from '@annals/projection/contract';
import { sqliteScratchStore } from '../scratch-store.ts';

/** Run by the test of scratch stores: fills one, says so, and stays until it is killed. */

const [folder] = process.argv.slice(2) as [string];
const { store } = sqliteScratchStore({ folder, projection: 'sample', clock: systemClock });
await store.create(sampleSpec);
const generation = await store.open(1);
if (generation === 'lost') throw new Error('lost');
const share = await Share.take(generation);
await share.commit();
process.stdout.write('filled\n');
setInterval(() => undefined, 60_000);
