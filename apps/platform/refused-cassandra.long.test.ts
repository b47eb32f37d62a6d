import { describeOn } from '@annals/core/testing';
import { expect, onTestFinished, test, vi } from 'vitest';
import { runCommand, runMain } from './testing/platform-process.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

// A program of Java starts slowly on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

await describeOn('cassandra-auth', 'On a Cassandra that asks who its clients are', ({ url }) => {
  const [address = '', settings] = url.split('?');
  const place = `${address}/annals_refused?${settings}&replicas=1`;
  const wrong = place.replace('cassandra:cassandra@', 'cassandra:secret@');
  const none = place.replace('cassandra:cassandra@', '');
  const masterKey = 'ab'.repeat(32);

  test.each([
    ['read models, with another password', 'ANNALS_LEADERBOARD_STORE', wrong],
    ['read models, with no password', 'ANNALS_LEADERBOARD_STORE', none],
    ['keys, with another password', 'ANNALS_KEYS', wrong],
  ])('a start and a command are refused: %s', async (_what, setting, refused) => {
    expect([wrong, none]).not.toContain(place);
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const env = { ANNALS_DATA: folder.path, PORT: '0', [setting]: refused };
    const told = { ...env, ANNALS_MASTER_KEY: masterKey };
    const started = await runMain(told).ended;
    const line = /^annals: cannot start: Cassandra refuses us: check user, password.*\n$/;
    expect(started.err).toMatch(line);
    expect(started).toMatchObject({ code: 1 });
    const argv = ['rebuild', 'leaderboard', '--json'];
    const command = await runCommand(argv, told);
    expect(JSON.parse(command.err)).toMatchObject({ code: 'refused', exit_code: 5 });
    expect(started.err + started.out + command.err + command.out).not.toContain('secret');
  });
});
