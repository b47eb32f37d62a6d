import { systemClock } from '@annals/core';
import { Share, sampleSpec } from '@annals/projection/contract';
import { sqliteProjectionStore } from '../sqlite-projection-store.ts';

/** Run by the read-only test as a user who may not write: tries a step and prints how it failed. */

const [folder, step] = process.argv.slice(2) as [string, string];
const store = sqliteProjectionStore({ folder, projection: 'sample', clock: systemClock });

async function attempt(): Promise<string> {
  if (step === 'create') return store.create({ ...sampleSpec, generation: 2 });
  if (step === 'drop') return store.drop(1).then(() => 'dropped');
  const generation = await store.open(1);
  if (generation === 'lost') return 'lost';
  const share = await Share.take(generation);
  return (await share.send(share.batch())).kind;
}

const outcome = await attempt().catch((error: Error & { code?: string }) => error);
const said = outcome instanceof Error ? { code: outcome.code, message: outcome.message } : outcome;
process.stdout.write(JSON.stringify(said));
