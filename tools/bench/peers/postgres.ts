import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { makeTemporaryFolder, removeTemporaryFolder } from '../data/temporary-folder.ts';

export const postgresSellers = 10_000;

export interface PostgresLoad {
  readonly clients: number;
  /** 1: all payments go to one seller. */
  readonly sellers: number;
  readonly seconds: number;
}

/** A double-entry ledger in SQL, in a database of its own. */
export interface PostgresPeer {
  /** Payments a second by pgbench: accepted, captured and booked, read in the wallet. */
  payments(load: PostgresLoad): Promise<number>;
  /** Whether debits and credits are equal, and wallets are what was booked. */
  isBalanced(): Promise<boolean>;
  stop(): Promise<void>;
}

const startMsMax = 30_000;
/** Runs of one load until a transaction has ended in time. */
const runsMax = 3;
const scripts = join(import.meta.dirname, '..', 'postgres');
/** PostgreSQL does not run as root: there it runs as the user that owns nothing. */
const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/**
 * Starts a PostgreSQL server of its own that listens on a socket in a folder of its own; commits are durable
 * (`synchronous_commit`, `fsync`). Undefined where initdb, postgres, psql or pgbench are not installed.
 */
export async function startPostgres(): Promise<PostgresPeer | undefined> {
  for (const program of ['initdb', 'postgres', 'psql', 'pgbench']) {
    if (!(await isInstalled(program))) return undefined;
  }
  const folder = await makeTemporaryFolder();
  if (nobody.uid !== undefined) await chown(folder, nobody.uid, nobody.gid);
  let server: ChildProcess | undefined;
  const kill = () => server?.kill('SIGKILL');
  const stop = async () => {
    if (server && server.exitCode === null && server.signalCode === null) {
      // Fast shutdown: sessions are ended.
      server.kill('SIGINT');
      await once(server, 'exit');
    }
    process.off('exit', kill);
    await removeTemporaryFolder(folder);
  };
  try {
    const data = join(folder, 'data');
    await output('initdb', ['-D', data, '-A', 'trust', '-U', 'bench', '-E', 'UTF8'], folder);
    const settings = ['synchronous_commit=on', 'fsync=on', 'max_connections=100'];
    const flags = ['-D', data, '-k', folder, '-h', '', ...settings.flatMap((one) => ['-c', one])];
    server = spawn('postgres', flags, {
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: folder,
      ...nobody,
    });
    const said = lastWords(server);
    process.once('exit', kill);
    const psql = ['-h', folder, '-U', 'bench', '-d', 'postgres', '-q', '-v', 'ON_ERROR_STOP=1'];
    const ask = (sql: string) => output('psql', [...psql, '-At', '-c', sql], folder);
    await answering(ask, server, said);
    await output('psql', [...psql, '-f', join(scripts, 'schema.sql')], folder);
    return { payments: (load) => measure(folder, load), isBalanced: () => balanced(ask), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What a process has complained of last. */
function lastWords(child: ChildProcess): () => string {
  let words = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    words = `${words}${chunk.toString()}`.slice(-2_000);
  });
  return () => words.trim();
}

async function answering(
  ask: (sql: string) => Promise<string>,
  server: ChildProcess,
  said: () => string,
) {
  const until = performance.now() + startMsMax;
  while ((await ask('SELECT 1').catch(() => '')) === '') {
    if (server.exitCode !== null) {
      throw new Error(`postgres ended with ${server.exitCode}: ${said()}`);
    }
    if (performance.now() > until) {
      throw new Error(`postgres is silent after ${startMsMax} ms: ${said()}`);
    }
    await setTimeout(100);
  }
}

/** On a busy machine the clients may not end one transaction in a second: then they are given more. */
async function measure(folder: string, { clients, sellers, seconds }: PostgresLoad) {
  const load = [
    ...['-h', folder, '-U', 'bench', '-n', '-M', 'prepared', '-f', join(scripts, 'payment.sql')],
    ...['-D', `sellers=${sellers}`, '-c', String(clients), '-j', clients > 1 ? '2' : '1'],
  ];
  let printed = '';
  for (let run = 0; run < runsMax; run += 1) {
    const time = String(seconds * 4 ** run);
    printed = await output('pgbench', [...load, '-T', time, 'postgres'], folder);
    const rate = Number(/tps = ([\d.]+)/.exec(printed)?.[1]);
    if (rate > 0) return rate;
  }
  throw new Error(`pgbench told no rate: ${printed.slice(-500)}`);
}

async function balanced(ask: (sql: string) => Promise<string>): Promise<boolean> {
  const off = await ask('SELECT coalesce(sum(amount), 0) FROM postings');
  const wallets = await ask('SELECT sum(pending) FROM wallets');
  const booked = await ask(
    "SELECT coalesce(-sum(amount), 0) FROM postings WHERE account = 'seller_pending'",
  );
  return off.trim() === '0' && wallets.trim() === booked.trim();
}

function isInstalled(program: string): Promise<boolean> {
  const child = spawn(program, ['--version'], { stdio: 'ignore' });
  return new Promise((resolve) => {
    child.once('close', (code) => resolve(code === 0));
    child.once('error', () => resolve(false));
  });
}

/** What a program prints. Throws with its last words when it fails. */
async function output(program: string, args: readonly string[], cwd: string): Promise<string> {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], ...nobody });
  let printed = '';
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = `${complaint}${chunk.toString()}`.slice(-2_000);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${complaint.trim()}`);
  return printed;
}
