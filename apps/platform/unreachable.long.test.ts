import { createServer, type Server, type Socket } from 'node:net';
import { openLogAt } from '@annals/projector';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runCommand, runMain, runProjector } from './testing/platform-process.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

// Each start is bounded by its adapter, in less than a minute.
vi.setConfig({ testTimeout: 120_000 });

let data: Awaited<ReturnType<typeof temporaryFolder>>;
let silent: Server;
let silentPort: number;
const sockets = new Set<Socket>();

beforeAll(async () => {
  data = await temporaryFolder();
  silent = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', () => resolve()));
  silentPort = (silent.address() as { port: number }).port;
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  silent.close();
  await data.remove();
});

const masterKey = 'ab'.repeat(32);
const settings: readonly (readonly [
  what: string,
  setting: string,
  url: (port: number) => string,
])[] = [
  ['Kafka', 'ANNALS_LOG', (port) => `kafka://ann:secret@127.0.0.1:${port}/nothing`],
  ['EventStoreDB', 'ANNALS_LOG', (port) => `esdb://ann:secret@127.0.0.1:${port}?tls=false`],
  ['Redis', 'ANNALS_LEADERBOARD_STORE', (port) => `redis://ann:secret@127.0.0.1:${port}`],
  [
    'keys in Cassandra',
    'ANNALS_KEYS',
    (port) => `cassandra://ann:secret@127.0.0.1:${port}/k?datacenter=d`,
  ],
];

let folders = 0;
/** Settings of a site of its own, one part of which is where nobody answers. */
function env(setting: string, url: string) {
  folders += 1;
  return {
    ...{ ANNALS_DATA: `${data.path}/${folders}`, PORT: '0', [setting]: url },
    ANNALS_MASTER_KEY: masterKey,
  };
}

function expectOneLine(err: string, begin: string, port: number): void {
  const lines = err.trim().split('\n');
  expect(lines).toHaveLength(1);
  expect(lines[0]?.slice(0, begin.length)).toBe(begin);
  expect(lines[0]).toContain(`127.0.0.1:${port}`);
  expect(err).not.toContain('secret');
}

describe.concurrent.each(settings)('%s that is nowhere', (_what, setting, url) => {
  it('ends the start of the platform in bounded time: one line, exit code 1', async () => {
    const { code, out, err } = await runMain(env(setting, url(1))).ended;
    expectOneLine(err, 'annals: cannot start: ', 1);
    expect(code).toBe(1);
    expect(out).not.toContain('secret');
  });

  it('that accepts connections and says nothing, too', async () => {
    const { code, err } = await runMain(env(setting, url(silentPort))).ended;
    expectOneLine(err, 'annals: cannot start: ', silentPort);
    expect(code).toBe(1);
  });
});

describe.concurrent('a log that is nowhere', () => {
  const log = () => env('ANNALS_LOG', 'kafka://127.0.0.1:1/nothing');

  it('ends the start of the projector', async () => {
    const { code, err } = await runProjector(log()).ended;
    expectOneLine(err, 'annals: ', 1);
    expect(code).toBe(1);
  });

  it('or whose address is of something else ends a command with the code of what cannot be used', async () => {
    const { ANNALS_DATA: folder } = log();
    const url = `kafka://127.0.0.1:${silentPort}/nothing`;
    const { code, err } = await runCommand(['--log', url, 'log', 'head', '--data', folder], {});
    expectOneLine(err, 'annals: Kafka at ', silentPort);
    expect(err).toContain('is it a Kafka?');
    expect(code).toBe(5);
  });
});

describe.concurrent.each(settings)('%s that is nowhere, for a command', (_what, setting, url) => {
  const argv =
    setting === 'ANNALS_KEYS'
      ? ['subjects', 'erase', 'player:ann', '--yes']
      : ['rebuild', 'leaderboard'];

  it('ends it with the exit code of what cannot be used', async () => {
    const settings = env(setting, url(1));
    await (
      await openLogAt(`sqlite:${settings.ANNALS_DATA}`, { dataFolder: settings.ANNALS_DATA })
    ).log.close();
    const { code, err } = await runCommand([...argv, '--json'], settings);
    expect(JSON.parse(err)).toMatchObject({ code: 'unreachable', exit_code: 5 });
    expectOneLine(JSON.parse(err).error, '', 1);
    expect(code).toBe(5);
  });
});
