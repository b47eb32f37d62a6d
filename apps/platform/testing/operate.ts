import { newId } from '@annals/core';
import { promote, rebuild, rollback, verify } from '@annals/projection';
import { openEmbedded, projectionNamed } from '@annals/projector';

/** What an operator does to the leaderboard's read model from another process, beside the running service. */
export async function operate(
  folder: string,
  operation: 'rebuild' | 'verify' | 'promote' | 'rollback',
): Promise<string> {
  const embedded = await openEmbedded({ dataFolder: folder, mustExist: true });
  const projection = projectionNamed('leaderboard');
  if (!projection) throw new Error('no projection leaderboard');
  const { log, cipher, clock } = embedded;
  const store = embedded.storeFor(projection);
  const means = { log, cipher, clock, projection, store, holder: `test/${newId()}` };
  try {
    const { kind } = await { rebuild, verify, promote, rollback }[operation](means);
    return kind;
  } finally {
    await embedded.close();
  }
}
