import { execFile } from 'node:child_process';
import { copyFile, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Exact versions; they are no dependency of ours and come only when the bench runs. */
const packages = [
  '@event-driven-io/emmett@0.38.5',
  '@event-driven-io/emmett-sqlite@0.38.5',
  'sqlite3@5.1.7',
];
const installMsMax = 300_000;

export interface EmmettMeasured {
  readonly appendsPerSecond: number;
  /** Those that failed with SQLITE_BUSY and were sent again. */
  readonly failedAppends: number;
  readonly replayedPerSecond: number;
}

/** Installs emmett-sqlite into a folder git ignores, unless it is there. Undefined when it cannot be had. */
export async function installEmmett(): Promise<string | undefined> {
  const folder = join(import.meta.dirname, '..', '.peers', 'emmett');
  const installed = join(folder, 'node_modules', 'sqlite3', 'build', 'Release');
  if (await exists(installed)) return folder;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{"private": true, "type": "module"}\n');
  try {
    const flags = ['install', '--no-save', '--no-workspaces', '--foreground-scripts'];
    await run('npm', [...flags, ...packages], { cwd: folder, timeout: installMsMax });
  } catch {
    return undefined;
  }
  return (await exists(installed)) ? folder : undefined;
}

/** One round in a process of its own: appends by one caller for `stretchMs`, then one full replay. */
export async function measureEmmett(
  folder: string,
  fileName: string,
  stretchMs: number,
): Promise<EmmettMeasured> {
  const script = join(folder, 'emmett-peer.mjs');
  await copyFile(join(import.meta.dirname, 'emmett-peer.mjs'), script);
  const { stdout } = await run(process.execPath, [script, fileName, String(stretchMs)], {
    cwd: folder,
  });
  return JSON.parse(stdout.trim()) as EmmettMeasured;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
