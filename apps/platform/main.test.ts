import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runMain, startProcess } from './testing/platform-process.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until, untilRead } from './testing/until.ts';

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let data: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  data = await temporaryFolder();
});
afterAll(() => data.remove());

const run = (env: { readonly [name: string]: string }) =>
  runMain({ ANNALS_DATA: data.path, ...env }).ended;

describe('main.ts that cannot start', () => {
  it('names every wrong setting, and ends with exit code 2', async () => {
    const { code, out, err } = await run({ PORT: 'http', ANNALS_ADMIN_KEY: 'too-short' });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err.trim().split('\n')).toEqual([
      'annals: the configuration is wrong',
      '  PORT: must be a port, 0 to 65535',
      '  ANNALS_ADMIN_KEY: an admin key has at least 24 characters',
    ]);
  });

  it('an address this machine does not have: one line, exit code 1', async () => {
    // RFC 5737: an address for documentation, which nobody has.
    const { code, err } = await run({ HOST: '192.0.2.1', PORT: '0' });
    expect(code).toBe(1);
    expect(err).toBe('annals: cannot start: this machine has no address 192.0.2.1: set HOST\n');
  });

  it('a data folder that is a file: one line, exit code 1', async () => {
    const { code, err } = await run({ ANNALS_DATA: import.meta.filename, PORT: '0' });
    expect(code).toBe(1);
    expect(err).toBe(
      `annals: cannot start: ${import.meta.filename}/log cannot be used: a part of its path is a file, ` +
        'not a folder. ANNALS_DATA says where the data is\n',
    );
  });
});

describe('main.ts', () => {
  it('a port in use: one line, exit code 1; the first one goes on', async () => {
    const other = await temporaryFolder();
    const first = await startProcess(data.path);
    const { port } = new URL(first.url);
    const { code, err } = await run({ ANNALS_DATA: other.path, PORT: port });
    expect(code).toBe(1);
    expect(err).toBe(
      `annals: cannot start: port ${port} of 127.0.0.1 is in use: stop what listens there, or set PORT\n`,
    );
    expect((await first.call('GET /healthz')).status).toBe(200);
    // What could not listen has not made a key that nobody saw.
    const later = runMain({ ANNALS_DATA: other.path, PORT: '0' });
    await until('a printed key', () => /admin key {2}annals_/.test(later.text.out) || undefined);
    later.child.kill('SIGTERM');
    expect((await later.ended).code).toBe(0);
    expect((await first.kill('SIGTERM')).code).toBe(0);
    await other.remove();
  });

  it('prints where API, docs and key are, and the key only once', async () => {
    const fresh = await temporaryFolder();
    const first = runMain({ ANNALS_DATA: fresh.path, PORT: '0' });
    await until('the lines', () => first.text.out.includes('admin key') || undefined);
    const { out } = first.text;
    const key = /admin key {2}(annals_\S+)/.exec(out)?.[1] as string;
    const url = /API {8}(\S+)\/v1/.exec(out)?.[1] as string;
    expect(out).toContain(`docs       ${url}/docs`);
    const headers = { authorization: `Bearer ${key}` };
    await untilRead(`${url}/v1/scores`, headers);
    expect((await fetch(`${url}/v1/scores`)).status).toBe(401);
    first.child.kill('SIGINT');
    expect(await first.ended).toMatchObject({ code: 0, err: '' });

    const second = runMain({ ANNALS_DATA: fresh.path, PORT: '0' });
    await until('the lines', () => second.text.out.includes('admin key') || undefined);
    expect(second.text.out).not.toContain('annals_');
    const again = /API {8}(\S+)\/v1/.exec(second.text.out)?.[1] as string;
    await untilRead(`${again}/v1/scores`, headers);
    second.child.kill('SIGINT');
    expect((await second.ended).code).toBe(0);
    await fresh.remove();
  });

  it('Ctrl-C loses nothing that was accepted', async () => {
    const fresh = await temporaryFolder();
    const first = await startProcess(fresh.path);
    const sent = Array.from({ length: 200 }, (_, at) =>
      first
        .call('POST /v1/scores', { body: { user_id: 'ann', points: 1, match_id: `m${at}` } })
        .then(({ status }) => status)
        .catch(() => 0),
    );
    await sent[0];
    const { code } = await first.kill('SIGINT');
    const stored = (await Promise.all(sent)).filter((status) => status === 200 || status === 202);
    expect(code).toBe(0);
    const second = await startProcess(fresh.path);
    const { body } = await second.call('GET /v1/scores/ann');
    expect(body.user_info.score).toBeGreaterThanOrEqual(stored.length);
    await second.kill('SIGTERM');
    await fresh.remove();
  });
});
