import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { down } from './down.ts';
import { engineFolder, readRecord, type Site, writeRecord } from './engines-folder.ts';
import { actOn } from './node-actions.ts';
import { nodeOf, portOf } from './node-processes.ts';
import { ask } from './probe.ts';
import { identityOf, isRunning, type ProcessIdentity } from './process-identity.ts';
import { statusOf } from './status.ts';
import { describeInOwnFolder, startCall, until } from './testing/own-folder.ts';
import { up } from './up.ts';

const lives: ChildProcess[] = [];
afterEach(() => {
  for (const child of lives.splice(0)) child.kill('SIGKILL');
});

/** A process to hold an engine. */
function life(): { child: ChildProcess; identity: ProcessIdentity } {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  lives.push(child);
  const identity = identityOf(child.pid ?? 0);
  if (!identity) throw new Error('sleep did not start');
  return { child, identity };
}

/** Sends one command, in words, and gives the first line of the answer. */
async function redis(site: Site, id: string, command: string): Promise<string> {
  const record = readRecord(site, id);
  if (!record) throw new Error(`${id} is not up`);
  const answer = await ask(portOf(nodeOf(record, 1)), `${command}\r\n`, (bytes) => {
    const text = bytes.toString();
    return text.endsWith('\r\n') ? text : undefined;
  });
  return answer?.split('\r\n').slice(0, -1).join(' ') ?? '';
}

function processOf(site: Site, id: string): ProcessIdentity {
  const found = readRecord(site, id)?.nodes[0]?.process;
  if (!found) throw new Error(`${id} has no process`);
  return found;
}

await describeInOwnFolder('redis', 'an engine', ({ site, call }) => {
  it('runs twice as it runs once, also for callers at once', async () => {
    const records = await Promise.all([1, 2, 3].map(() => up(site, 'redis@twice')));
    const again = await up(site, 'redis@twice');
    for (const record of records) expect(record).toEqual(again);
    expect(await redis(site, 'redis@twice', 'PING')).toBe('+PONG');
  });

  it('is shared by programs that start it at once', async () => {
    const calls = await Promise.all([1, 2, 3].map(() => call('up', 'redis@calls', '--json')));
    const pids = calls.map(({ out }) => JSON.parse(out)[0].nodes[0].pid);
    expect(new Set(pids).size).toBe(1);
    expect(pids[0]).toBe(processOf(site, 'redis@calls').pid);
  });

  it('that was killed is seen, and comes back where it was with what it had acknowledged', async () => {
    const first = await up(site, 'redis@killed');
    await redis(site, 'redis@killed', 'SET kept yes');
    process.kill(processOf(site, 'redis@killed').pid, 'SIGKILL');
    await until('the server is gone', () => !isRunning(first.nodes[0]?.process));
    expect((await statusOf(site, first)).state).toBe('stopped');
    const second = await up(site, 'redis@killed');
    expect(second.url).toBe(first.url);
    expect(second.nodes[0]?.process).not.toEqual(first.nodes[0]?.process);
    expect(await redis(site, 'redis@killed', 'GET kept')).toBe('$3 yes');
  });

  it('that runs but does not answer any more is replaced', async () => {
    const first = await up(site, 'redis@hung');
    await actOn(site, 'pause', 'redis@hung/1');
    expect((await statusOf(site, first)).nodes[0]?.state).toBe('silent');
    const second = await up(site, 'redis@hung');
    expect(isRunning(first.nodes[0]?.process)).toBe(false);
    expect((await statusOf(site, second)).state).toBe('running');
  });

  it('that was only half started is ended and started anew', async () => {
    const half = await up(site, 'redis@half');
    await redis(site, 'redis@half', 'SET kept yes');
    writeRecord(site, { ...half, formed: false });
    expect((await statusOf(site, { ...half, formed: false })).state).toBe('partly');
    await up(site, 'redis@half');
    expect(isRunning(half.nodes[0]?.process)).toBe(false);
    expect(await redis(site, 'redis@half', 'GET kept')).toBe('$-1');
  });

  it('leaves a process alone that has got the number of its own', async () => {
    const record = await up(site, 'redis@number');
    const other = life();
    const [node] = record.nodes;
    const reused = { pid: other.identity.pid, started: 'earlier' };
    writeRecord(site, { ...record, nodes: [{ ...node!, process: reused }] });
    await down(site, 'redis@number', { wipe: true });
    expect(isRunning(other.identity)).toBe(true);
    process.kill(node?.process?.pid ?? 0, 'SIGKILL');
  });

  it('whose port was taken meanwhile says so, and its data is kept', async () => {
    const { nodes } = await up(site, 'redis@taken');
    await redis(site, 'redis@taken', 'SET kept yes');
    await down(site, 'redis@taken', { wipe: false });
    const squatter = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) =>
      squatter.listen(portOf(nodes[0]!), '127.0.0.1', () => resolve()),
    );
    await expect(up(site, 'redis@taken')).rejects.toThrow(/in use[\s\S]*down --wipe redis@taken/);
    await new Promise((resolve) => squatter.close(resolve));
    await up(site, 'redis@taken');
    expect(await redis(site, 'redis@taken', 'GET kept')).toBe('$3 yes');
  });

  it('whose record is damaged is not guessed at', async () => {
    const record = await up(site, 'redis@damaged');
    const file = join(engineFolder(site, 'redis@damaged'), 'engine.json');
    writeFileSync(file, '{"format":1');
    await expect(up(site, 'redis@damaged')).rejects.toMatchObject({ code: 'damaged-state' });
    await expect(down(site, 'redis@damaged', { wipe: true })).rejects.toThrow(file);
    expect(isRunning(record.nodes[0]?.process)).toBe(true);
    writeRecord(site, record);
  });
});

await describeInOwnFolder('redis', 'down', ({ site, call }) => {
  it('ends what it names and leaves the others alone', async () => {
    const other = await up(site, 'redis@other');
    const own = await up(site, 'redis@own');
    expect(await down(site, 'redis@own', { wipe: false })).toBe(true);
    expect(isRunning(own.nodes[0]?.process)).toBe(false);
    expect(isRunning(other.nodes[0]?.process)).toBe(true);
  });

  it('keeps the data, unless it is told to wipe', async () => {
    await up(site, 'redis@data');
    await redis(site, 'redis@data', 'SET kept yes');
    await down(site, 'redis@data', { wipe: false });
    await up(site, 'redis@data');
    expect(await redis(site, 'redis@data', 'GET kept')).toBe('$3 yes');
    await down(site, 'redis@data', { wipe: true });
    expect(existsSync(engineFolder(site, 'redis@data'))).toBe(false);
    await up(site, 'redis@data');
    expect(await redis(site, 'redis@data', 'GET kept')).toBe('$-1');
  });

  it('of what is not up is no error', async () => {
    expect(await down(site, 'redis@nobody', { wipe: true })).toBe(false);
    expect(await call('down', 'redis@nobody')).toMatchObject({ code: 0, out: 'nothing was up\n' });
  });
});

await describeInOwnFolder('redis', 'an engine that test runs hold', ({ site, call }) => {
  it('goes away, with its data, some time after the last of them', async () => {
    const [one, other] = [life(), life()];
    const { nodes } = await up(site, 'redis@held', { process: one.identity, lingerMs: 1_000 });
    await up(site, 'redis@held', { process: other.identity, lingerMs: 1_000 });
    one.child.kill();
    // Longer than it would linger if one holder were not enough.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(isRunning(nodes[0]?.process)).toBe(true);
    other.child.kill();
    await until('the server is gone', () => !isRunning(nodes[0]?.process));
    await until('its data is gone', () => !existsSync(engineFolder(site, 'redis@held')));
  });

  it('has its supervisor back when that was killed', async () => {
    const holder = { process: life().identity, lingerMs: 60_000 };
    const first = (await up(site, 'redis@watched', holder)).supervisor;
    process.kill(first?.pid ?? 0, 'SIGKILL');
    await until('the supervisor is gone', () => !isRunning(first));
    const second = (await up(site, 'redis@watched', holder)).supervisor;
    expect(isRunning(second)).toBe(true);
    await down(site, 'redis@watched', { wipe: true });
    expect(isRunning(second)).toBe(false);
  });

  it('stays when somebody has started it to stay', async () => {
    const { child, identity } = life();
    const { nodes } = await up(site, 'redis@stays', { process: identity, lingerMs: 1_000 });
    const { supervisor } = await up(site, 'redis@stays');
    child.kill();
    await until('nobody looks after it', () => !isRunning(supervisor));
    expect(isRunning(nodes[0]?.process)).toBe(true);
  });

  it('cannot be held by a process that is not there', async () => {
    const { child, identity } = life();
    child.kill('SIGKILL');
    await until('the process is gone', () => !isRunning(identity));
    const refused = await call('up', 'redis@nobody', '--hold', String(identity.pid));
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('there is no process') });
  });
});

await describeInOwnFolder('redis', 'a start that is interrupted', ({ site }) => {
  it('leaves nothing running', async () => {
    const env = { ...site.env, ANNALS_ENGINES_FOLDER: site.folder };
    const { child, ended } = startCall(env, ['up', 'redis-cluster']);
    const pids = () =>
      readRecord(site, 'redis-cluster')?.nodes.map(({ process: one }) => one) ?? [];
    await until('a server has been started', () => pids().some(isRunning));
    child.kill('SIGINT');
    expect(await ended).toMatchObject({
      code: 130,
      err: expect.stringContaining('stopped before'),
    });
    expect(pids().some(isRunning)).toBe(false);
  });
});

await describeInOwnFolder('redis-cluster', 'a Redis cluster', ({ site, call }) => {
  it('fails over when a master is killed, and takes it back', async () => {
    const { nodes } = await up(site, 'redis-cluster');
    const role = (number: number) =>
      ask(
        portOf(nodes[number - 1]!),
        'ROLE\r\n',
        (bytes) => /master|slave/.exec(bytes.toString())?.[0],
      );
    expect(await Promise.all([1, 2, 3, 4, 5, 6].map(role))).toEqual([
      ...['master', 'master', 'master'],
      ...['slave', 'slave', 'slave'],
    ]);
    expect(await call('kill', 'redis-cluster/1')).toMatchObject({ code: 0 });
    const masters = async () =>
      (await Promise.all([4, 5, 6].map(role))).filter((one) => one === 'master');
    await until('a replica was promoted', async () => (await masters()).length === 1);
    await up(site, 'redis-cluster');
    expect(await role(1)).toBe('slave');
    const record = readRecord(site, 'redis-cluster');
    expect(record && (await statusOf(site, record)).state).toBe('running');
  });
});

describe('the folder of engines', () => {
  it('is one that git ignores', () => {
    const ignored = readFileSync(join(import.meta.dirname, '..', '..', '.gitignore'), 'utf8');
    expect(ignored.split('\n')).toContain('/.engines/');
  });
});
