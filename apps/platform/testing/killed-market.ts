import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { SeededRandom } from '@annals/projection/testing';
import type { Env } from './cluster.ts';
import { adminKey } from './open-platform.ts';
import { runMain, runSandbox } from './platform-process.ts';
import { quietPort, Restarted } from './restarted.ts';

/** Known to the processes alone: none of them is ever to be seen in what they write for others. */
export const marketSecrets = {
  psp: 'sk_test_of_a_market_that_is_killed',
  webhook: 'whsec_of_a_market_that_is_killed',
  admin: adminKey,
} as const;

/**
 * What the provider promises in this test. Its own windows are minutes, so that a call that was cut off would be sent
 * again long after the test is over.
 */
const terms = { call_ms_max: 5_000, in_flight_ms_max: 8_000, search_lag_ms: 4_000 };

/** A platform of payments in three processes on one folder, each of which can be killed: API, executor and provider. */
export interface Market {
  readonly apiUrl: string;
  readonly executorUrl: string;
  readonly pspUrl: string;
  /** Log, keys and read models. */
  readonly dataFolder: string;
  /** The settings that its processes share, and the `annals` command needs. */
  readonly env: Env;
  readonly processes: readonly Restarted[];
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** `more`: settings beside those that every market has. */
export async function openMarket(folder: string, more: Env = {}): Promise<Market> {
  const [apiPort, executorPort, pspPort] = [
    await quietPort(),
    await quietPort(),
    await quietPort(),
  ];
  const apiUrl = `http://127.0.0.1:${apiPort}`;
  const executorUrl = `http://127.0.0.1:${executorPort}`;
  const pspUrl = `http://127.0.0.1:${pspPort}`;
  const dataFolder = join(folder, 'annals');
  const file = join(folder, 'psp.json');
  const { psp: key, webhook, admin } = marketSecrets;
  const provider = { name: 'market', url: pspUrl, key, webhook_secrets: [webhook], terms };
  writeFileSync(file, JSON.stringify({ providers: [provider], rules: [{ psp: 'market' }] }));
  const env = { ANNALS_DATA: dataFolder, ANNALS_PSP_FILE: file, ...more };
  const platform = (role: 'api' | 'projector', port: number) => () =>
    runMain({
      ...{ ...env, PORT: String(port), ANNALS_ROLES: role },
      ...{ ANNALS_ADMIN_KEY: admin, ANNALS_RATE_LIMITS: 'off' },
      // All that they have to say, so that it can be searched for what they must not say.
      ANNALS_LOG_LEVEL: 'debug',
    });
  const sandbox = () =>
    runSandbox({
      ...{ SANDBOX_PSP_PORT: String(pspPort), SANDBOX_PSP_DATA: join(folder, 'psp') },
      ...{ ANNALS_PSP_KEY: key, ANNALS_PSP_WEBHOOK_SECRET: webhook },
      SANDBOX_PSP_WEBHOOK_URL: `${apiUrl}/v1/psp/webhooks`,
    });
  const processes = [
    new Restarted('the provider', /test tokens/, sandbox),
    new Restarted('the executor', /operations/, platform('projector', executorPort)),
    new Restarted('the API', /admin key/, platform('api', apiPort)),
  ];
  return {
    ...{ apiUrl, executorUrl, pspUrl, dataFolder, env, processes },
    start: async () => {
      for (const one of processes) await one.start();
    },
    stop: async () => {
      await Promise.all(processes.map((one) => one.kill()));
    },
  };
}

/** How often each is killed at least, however long that takes. */
const killsMin = 2;

/** Kills one of them after another, in an order of chance, now and then two at once, and starts them again. */
export async function killAtRandom(
  { processes }: Market,
  random: SeededRandom,
  until: number,
): Promise<void> {
  const again = async (one: Restarted) => {
    await one.kill();
    await pause(random.int(0, 1_500));
    const starting = one.start();
    if (random.chance(20)) {
      // Before it is ready.
      await pause(random.int(0, 1_000));
      await one.kill();
      await starting;
      await one.start();
    }
    await starting;
  };
  for (let round: Restarted[] = []; ; ) {
    await pause(random.int(1_500, 5_000));
    if (Date.now() >= until && processes.every(({ kills }) => kills >= killsMin)) return;
    // All have their turn before one has another.
    if (round.length === 0) round = [...processes];
    const struck = round.splice(random.int(0, round.length - 1), 1);
    if (random.chance(25)) struck.push(...round.splice(0, 1));
    await Promise.all(struck.map(again));
  }
}
