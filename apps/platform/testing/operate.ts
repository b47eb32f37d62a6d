import { newId } from '@annals/core';
import { promote, rebuild, rollback, verify } from '@annals/projection';
import { embeddedSite, openSite, projectionNamed, type SiteConfig } from '@annals/projector';

/** What an operator does to a read model, the leaderboard's unless told, from another process, beside the running service. */
export async function operate(
  where: string | SiteConfig,
  operation: 'rebuild' | 'verify' | 'promote' | 'rollback',
  name = 'leaderboard',
): Promise<string> {
  const site = typeof where === 'string' ? embeddedSite(where) : where;
  const opened = await openSite(site, { mustExist: true });
  const projection = projectionNamed(name);
  if (!projection) throw new Error(`no projection ${name}`);
  const { cipher, clock } = opened;
  const log = opened.logOf('leaderboard');
  const store = opened.storeFor(projection);
  const means = { log, cipher, clock, projection, store, holder: `test/${newId()}` };
  try {
    const { kind } = await { rebuild, verify, promote, rollback }[operation](means);
    return kind;
  } finally {
    await opened.close();
  }
}
