import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The stock client of another language. */
const client = 'kafka-python==3.0.12';
const folder = join(import.meta.dirname, '..', '..', '..', '.engines', 'python', client);
const installMsMax = 120_000;

export type PythonClient =
  | { readonly kind: 'ready'; readonly env: NodeJS.ProcessEnv }
  /** What is not here. */
  | { readonly kind: 'missing'; readonly reason: string };

/** Installs the client into a folder of the checkout that git ignores, unless it is there. */
export async function pythonClient(): Promise<PythonClient> {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, PYTHONPATH: folder };
  const imported = () => run('python3', ['-c', 'import kafka'], { env });
  try {
    await imported();
    return { kind: 'ready', env };
  } catch {
    // It is fetched below.
  }
  try {
    const install = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', folder, client];
    await run('python3', install, { timeout: installMsMax });
    await imported();
    return { kind: 'ready', env };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const what = code === 'ENOENT' ? 'python3 is not installed' : `pip does not install ${client}`;
    return { kind: 'missing', reason: what };
  }
}
