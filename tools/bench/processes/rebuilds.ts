import { join } from 'node:path';
import { dataLayout } from '@annals/projector';
import { Child } from './child.ts';
import type { FromRebuild } from './rebuild-process.ts';
import type { FromScan } from './scan-process.ts';

const rebuildScript = join(import.meta.dirname, 'rebuild-process.ts');
const scanScript = join(import.meta.dirname, 'scan-process.ts');

/** As the first line of `tools/cli/bin/annals.ts` has it: the process is to be that of `annals rebuild`. */
export const nodeOptions = ['--max-semi-space-size=16'];

export interface Rebuilt {
  readonly perSecond: number;
  readonly elapsedMs: number;
  readonly cpuMs: number;
  readonly grownBytes: number;
}

/** One rebuild of a projection in a process of its own, dropped again; into a Redis, where one is named. */
export async function rebuildOnce(
  dataFolder: string,
  { projection = 'leaderboard', redis }: { projection?: string; redis?: string } = {},
): Promise<Rebuilt> {
  const said = [dataFolder, '1', 'once', projection, ...(redis === undefined ? [] : [redis])];
  const child = new Child<FromRebuild>(rebuildScript, said, nodeOptions);
  for (;;) {
    const message = await child.next();
    if (message.kind !== 'rebuilt') continue;
    const { events, elapsedMs, cpuMs, grownBytes } = message;
    await child.end();
    return { perSecond: (events * 1_000) / elapsedMs, elapsedMs, cpuMs, grownBytes };
  }
}

/** Runs `during` while a process rebuilds again and again, working `share` of the time; 1 for all of it. */
export async function besideRebuild<T>(
  dataFolder: string,
  share: number,
  during: () => Promise<T>,
): Promise<T> {
  const child = new Child<FromRebuild>(
    rebuildScript,
    [dataFolder, String(share), 'forever', 'leaderboard'],
    nodeOptions,
  );
  try {
    await child.next();
    return await during();
  } finally {
    await child.end();
  }
}

/** One scan of the log with node:sqlite alone. */
export async function scanOnce(dataFolder: string): Promise<FromScan & { perSecond: number }> {
  const child = new Child<FromScan>(scanScript, [dataLayout(dataFolder).log]);
  const { events, elapsedMs, cpuMs } = await child.next();
  await child.end();
  return { events, elapsedMs, cpuMs, perSecond: (events * 1_000) / elapsedMs };
}
