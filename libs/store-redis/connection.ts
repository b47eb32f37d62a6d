import { createHash } from 'node:crypto';
import { isBad, urlParts, wordIn } from '@annals/core/url-parts';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { redisError, storeError } from './errors.ts';
import { limits } from './limits.ts';

/** A Lua script, sent by its hash and in full only where a server does not know it. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

export function luaScript(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

export type Argument = string | number | Buffer;

/** What Redis answers a script: bulk strings as buffers. */
export type Reply = Buffer | number | null | readonly Reply[];

/** One Redis, or the masters of a Redis Cluster: the same to whoever uses it. */
export interface RedisConnection {
  /** The address without user and password, for messages. */
  readonly place: string;
  /** Whether the keys of one command must lie in one slot. */
  readonly isCluster: boolean;
  /**
   * Runs a script whose keys all lie in one slot. Sent again after a reconnect, also where it has timed out for who asked:
   * it must bear that.
   */
  run(
    script: Script,
    keys: readonly (string | Buffer)[],
    args: readonly Argument[],
  ): Promise<Reply>;
  /** Runs a command on the node that holds `key`, its first argument. Sent again as a script is. */
  call(command: string, key: string | Buffer, ...args: readonly Argument[]): Promise<Reply>;
  /** Every node that takes writes. */
  masters(): Promise<readonly RedisNode[]>;
  /** Idempotent. */
  close(): void;
}

export interface RedisNode {
  call(command: string, ...args: readonly Argument[]): Promise<Reply>;
}

interface Address {
  readonly cluster: boolean;
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly options: Pick<RedisOptions, 'username' | 'password' | 'db'> & { readonly tls?: object };
  readonly place: string;
}

const portDefault = 6_379;
const schemes: readonly string[] = ['redis', 'rediss'];

/**
 * `redis://user:password@host:port/0`, or `redis://host:port,host:port?cluster=true` with some nodes of
 * a cluster; `rediss` for TLS. Throws a TypeError, without the password, for anything else.
 */
export function parseAddress(url: string): Address {
  const parts = urlParts(url, ['cluster']);
  if (isBad(parts)) throw notAddress(parts.problem);
  const { scheme, hosts, path, user, password } = parts;
  if (!schemes.includes(scheme)) throw notAddress('is neither redis:// nor rediss://');
  const told = wordIn(parts, 'cluster', ['true']);
  if (isBad(told)) throw notAddress(told.problem);
  const cluster = told === 'true';
  if (path !== '' && !/^\d{1,5}$/.test(path)) throw notAddress('has a database that is no number');
  if (cluster ? path !== '' : hosts.length > 1) {
    throw notAddress('has several hosts and no database number only with ?cluster=true');
  }
  const options: Address['options'] = {
    ...(user ? { username: user } : {}),
    ...(password ? { password } : {}),
    ...(scheme === 'rediss' ? { tls: {} } : {}),
    ...(path === '' ? {} : { db: Number(path) }),
  };
  const database = path === '' ? '' : `/${path}`;
  const place = `${scheme}://${hosts.join()}${database}${cluster ? '?cluster=true' : ''}`;
  return { cluster, nodes: hosts.map(nodeOf), options, place };
}

function notAddress(problem: string): TypeError {
  return new TypeError(`the address of Redis ${problem}`);
}

/** Of `host:port`, `host`, or an address of IPv6 in brackets. */
function nodeOf(text: string): Address['nodes'][number] {
  const [, host = text, port = portDefault] = /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(text) ?? [];
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

const shared = {
  protocol: 2,
  lazyConnect: true,
  connectTimeout: limits.connectMsMax,
  commandTimeout: limits.commandMsMax,
  maxRetriesPerRequest: limits.retriesMax,
  retryStrategy: (attempt: number) =>
    Math.min(50 * 2 ** Math.min(attempt, 6), limits.reconnectMsMax),
  // A master that became a replica: its address may lead to another one now.
  reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? 2 : false),
} as const;

const noPassword = /no password is set|without any password configured for the default user/;

/** Whether Redis has answered that it asks for no password, where one was given. */
export function isPasswordNeedless(error: unknown): boolean {
  return error instanceof Error && noPassword.test(error.message);
}

/**
 * The client prints a line to the console for each of its connections to a server that needs no password and
 * was given one, and goes on. It goes on without: who claims the prefix tells it once (claim.ts).
 */
function goOnWithoutPassword(): void {
  const { auth } = Redis.prototype as { auth: (...given: unknown[]) => Promise<unknown> };
  if (mended.has(auth)) return;
  const quiet = async function (this: Redis, ...given: unknown[]): Promise<unknown> {
    try {
      return await auth.apply(this, given);
    } catch (error) {
      if (isPasswordNeedless(error)) return 'OK';
      throw error;
    }
  };
  mended.add(quiet);
  Redis.prototype.auth = quiet as typeof Redis.prototype.auth;
}
const mended = new WeakSet<object>();

/** Opens no connection before the first command. `commandMsMax`: for those who must answer sooner than others. */
export function connectRedis(
  url: string,
  { commandMsMax }: { readonly commandMsMax?: number } = {},
): RedisConnection {
  goOnWithoutPassword();
  const { cluster, nodes, options, place } = parseAddress(url);
  const redisOptions = {
    ...shared,
    ...options,
    ...(commandMsMax === undefined ? {} : { commandTimeout: commandMsMax }),
  };
  if (!cluster) {
    return new Connection(new Redis({ ...redisOptions, ...nodes[0] }), place);
  }
  const client = new Cluster([...nodes], {
    redisOptions,
    lazyConnect: true,
    clusterRetryStrategy: (attempt) =>
      attempt > clusterAttemptsMax ? null : Math.min(100 * attempt, limits.reconnectMsMax),
    retryDelayOnFailover: 200,
    retryDelayOnClusterDown: 300,
    retryDelayOnTryAgain: 100,
    maxRedirections: 64,
  });
  return new Connection(client, place);
}

/**
 * The client would go on in database 0, which is somebody else's. It sends SELECT before all that waits for
 * a connection, and again at each reconnect; one that fails must end the connection there.
 */
function isSelectRefused(error: Error): boolean {
  const { command } = error as { command?: { readonly name?: string } };
  return command?.name === 'select';
}

/** Attempts to reach any node of a cluster; then commands fail, and the next one begins anew. */
const clusterAttemptsMax = 10;

class Connection implements RedisConnection {
  readonly place: string;
  readonly isCluster: boolean;
  readonly #client: Redis | Cluster;
  #closed = false;
  #gathering = false;
  #connecting: Promise<void> | undefined;
  #reason: Error | undefined;
  /** What was answered to SELECT, until there is another connection. */
  #refusal: Error | undefined;

  constructor(client: Redis | Cluster, place: string) {
    this.#client = client;
    this.isCluster = client instanceof Cluster;
    this.place = place;
    // Why a connection does not come about is only told here; commands fail without the reason.
    client.on('error', (error: Error) => {
      if (this.#refusal) return;
      this.#reason = error;
      if (!isSelectRefused(error)) return;
      this.#refusal = error;
      client.disconnect(true);
    });
    client.on('connect', () => {
      this.#refusal = undefined;
    });
    client.on('ready', () => {
      this.#reason = undefined;
    });
  }

  async run(
    script: Script,
    keys: readonly (string | Buffer)[],
    args: readonly Argument[],
  ): Promise<Reply> {
    return this.#guarded(async () => {
      try {
        return await this.#send('EVALSHA', script.sha, keys, args);
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
        return await this.#send('EVAL', script.source, keys, args);
      }
    });
  }

  #send(
    command: 'EVAL' | 'EVALSHA',
    script: string,
    keys: readonly (string | Buffer)[],
    args: readonly Argument[],
  ): Promise<Reply> {
    const all = [script, keys.length, ...keys, ...args];
    this.#gather();
    return this.#client.callBuffer(command, ...all) as Promise<Reply>;
  }

  /**
   * What is sent before the event loop goes on leaves in one write. Many reads that are answered together
   * send their next scripts together; a system call for each took more time than all else of them.
   */
  #gather(): void {
    const stream = this.#client instanceof Redis ? this.#client.stream : undefined;
    if (!stream || this.#gathering) return;
    this.#gathering = true;
    stream.cork();
    process.nextTick(() => {
      this.#gathering = false;
      stream.uncork();
    });
  }

  call(command: string, key: string | Buffer, ...args: readonly Argument[]): Promise<Reply> {
    return this.#guarded(
      () => this.#client.callBuffer(command, key, ...args) as unknown as Promise<Reply>,
    );
  }

  async masters(): Promise<readonly RedisNode[]> {
    const nodes = await this.#guarded(async () => {
      await this.#connected();
      return this.#client instanceof Cluster ? this.#client.nodes('master') : [this.#client];
    });
    return nodes.map((node) => ({
      call: (command, ...args) =>
        this.#guarded(() => node.callBuffer(command, ...args) as unknown as Promise<Reply>),
    }));
  }

  close(): void {
    this.#closed = true;
    this.#client.disconnect();
  }

  async #guarded<T>(run: () => Promise<T>): Promise<T> {
    if (this.#closed) throw storeError('closed', this.place);
    try {
      if (this.#client.status === 'wait' || this.#client.status === 'end') await this.#connected();
      return await run();
    } catch (error) {
      throw this.#closed
        ? storeError('closed', this.place, error)
        : redisError(error, this.place, this.#reason);
    }
  }

  /** A client that gave up begins anew; of many who ask at once, one connects. */
  async #connected(): Promise<void> {
    if (this.#client.status !== 'wait' && this.#client.status !== 'end') {
      // Asks something, so that a cluster knows its nodes.
      if (this.#client.status !== 'ready') await this.#client.call('PING');
      return;
    }
    this.#connecting ??= this.#client.connect().finally(() => {
      this.#connecting = undefined;
    });
    await this.#connecting;
  }
}
