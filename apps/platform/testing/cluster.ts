import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine } from '@annals/core/testing';
import { adminKey, type Reply, type RequestOptions } from './open-platform.ts';
import { type PlatformProcess, runCommand, startProcess } from './platform-process.ts';

export type Env = { readonly [name: string]: string };

/** One process of a cluster, on a machine of its own so far as its files go. */
export class Member {
  readonly name: string;
  readonly role: 'api' | 'projector';
  readonly #env: Env;
  #process: PlatformProcess | undefined;
  #starting: Promise<PlatformProcess> | undefined;

  constructor(name: string, role: 'api' | 'projector', env: Env) {
    this.name = name;
    this.role = role;
    this.#env = { ...env, ANNALS_ROLES: role };
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  async start(): Promise<void> {
    this.#starting ??= startProcess(this.#env.ANNALS_DATA as string, this.#env);
    try {
      this.#process = await this.#starting;
    } finally {
      this.#starting = undefined;
    }
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const starting = await this.#starting?.catch(() => undefined);
    const one = this.#process ?? starting;
    this.#process = undefined;
    await one?.kill(signal);
  }

  /** Undefined when there was no answer. */
  async call(route: string, options?: RequestOptions): Promise<Reply | undefined> {
    return this.#process?.call(route, options).catch(() => undefined);
  }

  /** Whether it keeps the board up to date. */
  async projects(): Promise<boolean> {
    const answer = await this.call('GET /metrics');
    return /^annals_projection_up\{.*projection="leaderboard".*\} 1$/m.test(answer?.body ?? '');
  }
}

export interface Cluster {
  readonly env: Env;
  readonly apis: readonly [Member, Member];
  readonly projectors: readonly [Member, Member];
  readonly members: readonly Member[];
  /** Runs `annals` with the settings of the cluster, from a folder of its own. */
  annals(...argv: readonly string[]): ReturnType<typeof runCommand>;
  startAll(): Promise<void>;
  killAll(): Promise<void>;
}

/** Two API processes and two projectors on a topic and a prefix that nobody else has; none is started yet. */
export function clusterOn(kafka: Engine, redis: Engine, folder: string): Cluster {
  const [address = '', query] = redis.url.split('?');
  const settings = [query, `prefix=test-${randomUUID()}`, 'shards=2'].filter(Boolean).join('&');
  const env: Env = {
    ANNALS_LOG: `${kafka.url}/test-${randomUUID()}?partitions=4`,
    ANNALS_LEADERBOARD_STORE: `${address}?${settings}`,
    ANNALS_KEYS: `sqlite:${join(folder, 'keys')}`,
    ANNALS_MASTER_KEY: 'ab'.repeat(32),
    ANNALS_ADMIN_KEY: adminKey,
    ANNALS_RATE_LIMITS: 'off',
    ANNALS_LOG_LEVEL: 'silent',
  };
  const member = (name: string, role: 'api' | 'projector') => {
    const data = join(folder, name);
    mkdirSync(data, { recursive: true });
    return new Member(name, role, { ...env, ANNALS_DATA: data });
  };
  const apis = [member('api-1', 'api'), member('api-2', 'api')] as const;
  const projectors = [
    member('projector-1', 'projector'),
    member('projector-2', 'projector'),
  ] as const;
  const members = [...apis, ...projectors];
  return {
    ...{ env, apis, projectors, members },
    annals: (...argv) => runCommand(argv, { ...env, ANNALS_DATA: join(folder, 'operator') }),
    startAll: async () => {
      // A projector makes the first generation, which the APIs wait for.
      await Promise.all(members.map((one) => one.start()));
    },
    killAll: async () => {
      await Promise.all(members.map((one) => one.kill()));
    },
  };
}
