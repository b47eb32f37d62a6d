import { randomUUID } from 'node:crypto';
import { describeOn, type Engine, type EngineName, engine } from '@annals/core/testing';
import { expect, onTestFinished, test } from 'vitest';
import { Member } from './testing/cluster.ts';
import { type Service, services, settingsIn } from './testing/compose-file.ts';
import { runCommand } from './testing/platform-process.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';

const names: readonly EngineName[] = ['eventstoredb', 'kafka', 'redis'];

/** The settings of a service of the compose file, with its engines where they are here, and names that nobody else takes. */
function settingsHere(
  service: string,
  engines: ReadonlyMap<string, Engine>,
  id: string,
): { readonly [name: string]: string } {
  const settings = settingsIn(services.services[service] as Service);
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => {
      const [, host = '', port] = /:\/\/([a-z]+):(\d+)/.exec(value) ?? [];
      const address = engines.get(host)?.addresses[0];
      if (!address) return [name, value];
      const url = value
        .replace(`${host}:${port}`, address)
        .replace('annals-leaderboard', `annals-${id}`)
        .replace(/annals_(keys|payments)/, `annals_$1_${id}`)
        .replace(/tls=false$/, `tls=false&prefix=${id}-`)
        .replace(/shards=8$/, `shards=8&prefix=test-${id}`);
      return [name, url];
    }),
  );
}

await describeOn('cassandra', 'The settings of infra/compose on real engines', (cassandra) => {
  test('an API and a projector serve, rebuild and erase', async (context) => {
    const engines = new Map<string, Engine>([['cassandra', cassandra]]);
    for (const name of names) {
      const answer = await engine(name);
      if (answer.kind === 'running') engines.set(name, answer.engine);
      else if (process.env.ENGINES === 'required') throw new Error(answer.reason);
      else return context.skip(answer.reason);
    }
    const id = randomUUID().slice(0, 8);
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const member = (role: 'api' | 'projector') =>
      new Member(role, role, {
        ...settingsHere(role, engines, id),
        // The sandbox of the file is not here.
        ANNALS_PSP_URL: 'off',
        ANNALS_DATA: `${folder.path}/${role}`,
        ANNALS_DRAIN_MS: '0',
      });
    const [api, projector] = [member('api'), member('projector')];
    onTestFinished(async () => {
      await Promise.all([api.kill(), projector.kill()]);
    });
    await Promise.all([api.start(), projector.start()]);

    const call = async (route: string, body?: object) => {
      const answer = await api.call(route, body ? { body } : {});
      if (!answer) throw new Error(`no answer to ${route}`);
      return answer;
    };
    expect((await call('PUT /v1/players/ann', { name: 'Ann' })).status).toBe(200);
    for (let match = 1; match <= 5; match += 1) {
      const body = { user_id: 'ann', points: 2, match_id: `m${match}` };
      const written = await call('POST /v1/scores', body);
      expect([200, 202]).toContain(written.status);
    }
    const shown = (score: number, name: string | null) =>
      until(`${name} with ${score}`, async () => {
        const { status, body } = await call('GET /v1/scores/ann');
        const { user_info: info } = body;
        return status === 200 && info.score === score && info.user_name === name ? true : undefined;
      });
    await shown(10, 'Ann');

    const settings = {
      ...settingsHere('projector', engines, id),
      ANNALS_DATA: `${folder.path}/cli`,
    };
    const annals = (...argv: readonly string[]) => runCommand(argv, settings);
    for (const operation of ['rebuild', 'verify', 'promote']) {
      const { code, err } = await annals(operation, 'leaderboard');
      expect({ operation, code, err: code === 0 ? '' : err }).toMatchObject({ code: 0 });
    }
    const listed = await annals('log', 'verify');
    expect(listed.code, listed.err).toBe(0);
    await shown(10, 'Ann');

    // The command erases in every log, though one of them has nothing of her.
    const erased = await annals('subjects', 'erase', 'player:ann', '--yes');
    // No program has the nodes of Cassandra compact here, so the books of payments wait for one.
    expect(erased.err).toMatch(/not purged yet: ledger g1, wallets g1, payments g1/);
    expect(erased.code).toBe(1);
    await shown(10, null);
  }, 400_000);
});
