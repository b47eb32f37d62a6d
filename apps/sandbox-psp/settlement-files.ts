import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { reportLines, settlementColumns } from './core/reports.ts';
import type { Storage } from './core/storage.ts';

const dayMs = 24 * 60 * 60 * 1_000;

/** Days that are written at one go, at most. */
export const settlementDaysMax = 400;

/** Writes the settlement file of every day in UTC that is over and had a move; the names of the new ones. */
export async function writeSettlementFiles(
  storage: Storage,
  folder: string,
  now: number,
): Promise<string[]> {
  const [first] = storage.oldestFirst('balance_transaction', 0, Number.MAX_SAFE_INTEGER);
  if (!first) return [];
  mkdirSync(folder, { recursive: true });
  const today = Math.floor(now / dayMs);
  const written: string[] = [];
  const from = Math.max(Math.floor((first.created * 1_000) / dayMs), today - settlementDaysMax);
  for (let day = from; day < today; day += 1) {
    const name = `settlement-${new Date(day * dayMs).toISOString().slice(0, 10)}.csv`;
    if (existsSync(join(folder, name))) continue;
    await writeDay(storage, join(folder, name), day);
    written.push(name);
  }
  return written;
}

/** The file has its name only when all of it is on disk. */
async function writeDay(storage: Storage, path: string, day: number): Promise<void> {
  const file = await open(`${path}.part`, 'w');
  try {
    const seconds = dayMs / 1_000;
    const lines = reportLines(storage, {
      interval_start: day * seconds,
      interval_end: (day + 1) * seconds,
      columns: settlementColumns,
      timezone: 'Etc/UTC',
    });
    for (const line of lines) await file.write(line);
    await file.sync();
  } finally {
    await file.close();
  }
  renameSync(`${path}.part`, path);
}
