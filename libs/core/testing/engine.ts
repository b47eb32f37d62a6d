import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { z } from 'zod';

/** The engines that `npm run engines -- up` starts; each has an environment variable below. */
export type EngineName =
  | 'redis'
  | 'redis-cluster'
  | 'kafka'
  | 'kafka3'
  | 'kafka-sasl'
  | 'cassandra'
  | 'cassandra-auth'
  | 'eventstoredb'
  | 'eventstoredb-tls';

export type NodeAction = 'start' | 'stop' | 'kill' | 'restart' | 'pause' | 'resume';

/** A real server that answers. */
export interface Engine {
  /** `kafka`, or `kafka@mine` with a label. */
  readonly id: string;
  /** `127.0.0.1:20001` of each node, for clients. */
  readonly addresses: readonly string[];
  /** What configuration takes: `kafka://127.0.0.1:20001`. */
  readonly url: string;
  /** Does something to one node (from 1), and waits until it is done. Throws unless the engine has a label: others share it. */
  act(action: NodeAction, node: number): Promise<void>;
  /** What only an operator can have a node of Cassandra do. Undefined where the tests have not started it. */
  readonly nodetool?: (node: number, ...args: readonly string[]) => Promise<void>;
}

export type EngineAnswer =
  | { readonly kind: 'running'; readonly engine: Engine }
  /** Its programs are not on this machine; the reason tells how to install them. */
  | { readonly kind: 'missing'; readonly reason: string };

export interface EngineOptions {
  /**
   * Gives the engine a name of its own, for tests that kill its nodes or change its settings. Without
   * it all test files share one, so they use names (of topics, streams, keys) that nobody else takes.
   */
  readonly label?: string;
  readonly env?: NodeJS.ProcessEnv;
}

const enginesProgram = join(
  import.meta.dirname,
  ...['..', '..', '..'],
  ...['tools', 'engines', 'main.ts'],
);
/** Others may be starting theirs, on a machine with two cores. */
const callMsMax = 900_000;
const callBytesMax = 10_000_000;
/** How long the engine stays after the last process that used it. */
const lingerSeconds = { shared: 60, own: 5 } as const;
const missingExitCode = 5;

const statuses = z
  .array(z.object({ url: z.string(), addresses: z.array(z.string()).min(1) }))
  .length(1);

/** The shared ones that this process holds: a worker that runs many files asks once. */
const held = new Map<EngineName, Promise<EngineAnswer>>();

/**
 * Has the engine run until this process ends, and some time longer for the next one that asks. A
 * server that runs already is used instead when the environment names it: `ANNALS_TEST_KAFKA=host:port`,
 * `ANNALS_TEST_REDIS_CLUSTER=host:port,host:port`, `ANNALS_TEST_EVENTSTOREDB=esdb://…`.
 * Throws when the programs are there and the engine does not start.
 */
export function engine(name: EngineName, options: EngineOptions = {}): Promise<EngineAnswer> {
  if (options.label !== undefined || options.env !== undefined) return started(name, options);
  const known = held.get(name);
  if (known) return known;
  const answer = started(name, options);
  held.set(name, answer);
  // What did not start is started anew for the next file.
  answer.catch(() => held.delete(name));
  return answer;
}

async function started(
  name: EngineName,
  { label, env = process.env }: EngineOptions,
): Promise<EngineAnswer> {
  const given = env[`ANNALS_TEST_${name.toUpperCase().replace('-', '_')}`];
  if (given && label === undefined) return { kind: 'running', engine: givenEngine(name, given) };
  const id = label === undefined ? name : `${name}@${label}`;
  const linger = label === undefined ? lingerSeconds.shared : lingerSeconds.own;
  const hold = ['--hold', String(process.pid), '--linger', String(linger)];
  const { exitCode, printed, error } = await engines(env, ['up', id, ...hold]);
  if (exitCode === missingExitCode) return { kind: 'missing', reason: error };
  if (exitCode !== 0) throw new Error(`${id} did not start: ${error}`);
  const [status] = statuses.parse(JSON.parse(printed));
  if (!status) throw new Error(`${id} has no status`);
  const act = async (action: NodeAction, node: number): Promise<void> => {
    if (label === undefined)
      throw new Error(`${id} is shared: give it a label to ${action} a node`);
    const outcome = await engines(env, [action, `${id}/${node}`]);
    if (outcome.exitCode !== 0) throw new Error(`${action} ${id}/${node}: ${outcome.error}`);
  };
  const nodetool = async (node: number, ...args: readonly string[]): Promise<void> => {
    const outcome = await engines(env, ['nodetool', `${id}/${node}`, '--', ...args]);
    if (outcome.exitCode !== 0) throw new Error(`nodetool ${args.join(' ')}: ${outcome.error}`);
  };
  return {
    kind: 'running',
    engine: { id, url: status.url, addresses: status.addresses, act, nodetool },
  };
}

/** One that somebody else runs; its nodes are not ours to stop. */
function givenEngine(name: EngineName, given: string): Engine {
  const [, scheme, rest = ''] = /^(?:([a-z+]+):\/\/)?(.*)$/.exec(given) ?? [];
  const hosts = rest.replace(/^[^@/]*@/, '').replace(/[/?].*$/, '');
  const [engineKind = name] = name.split('-');
  const ownScheme = engineKind.startsWith('kafka') ? 'kafka' : engineKind;
  const tail = name === 'redis-cluster' ? '?cluster=true' : '';
  return {
    id: name,
    url: scheme ? given : `${ownScheme === 'eventstoredb' ? 'esdb' : ownScheme}://${given}${tail}`,
    addresses: hosts.split(','),
    act: async (action) => {
      throw new Error(`${name} was not started by the tests, so they do not ${action} its nodes`);
    },
  };
}

/**
 * A suite on a real engine, for `*.int.test.ts`: `await describeOn('kafka', 'the log', (kafka) => …)`.
 * Where its programs are missing, each of its tests is skipped with the reason in its name; with
 * `ENGINES=required` that is a failure. An engine with a label is gone after the suite.
 */
export async function describeOn(
  name: EngineName,
  title: string,
  suite: (engine: Engine) => void,
  options: EngineOptions = {},
): Promise<void> {
  const { env = process.env, label } = options;
  const answer = await engine(name, options);
  if (answer.kind === 'running') {
    describe(title, () => {
      suite(answer.engine);
      if (label !== undefined) afterAll(() => wiped(env, answer.engine.id), callMsMax);
    });
  } else if (env.ENGINES === 'required') {
    it(`${title}: has its engine`, () => {
      throw new Error(answer.reason);
    });
  } else {
    describe.skip(`${title} (skipped: ${answer.reason})`, () => suite(absent(name)));
  }
}

/** What the tests of a suite that is skipped are made of: they are listed, never run. */
function absent(name: EngineName): Engine {
  return { id: name, url: '', addresses: [], act: () => Promise.resolve() };
}

async function wiped(env: NodeJS.ProcessEnv, id: string): Promise<void> {
  const { exitCode, error } = await engines(env, ['down', '--wipe', id]);
  if (exitCode !== 0) throw new Error(`${id} could not be ended: ${error}`);
}

interface Outcome {
  readonly exitCode: number;
  readonly printed: string;
  readonly error: string;
}

/** Calls `tools/engines` as a program: a lib cannot import a tool. */
function engines(env: NodeJS.ProcessEnv, args: readonly string[]): Promise<Outcome> {
  const own = Object.entries(env).filter(([key]) => !/^(?:NODE_|VITEST)/.test(key));
  const options = {
    env: Object.fromEntries(own),
    timeout: callMsMax,
    maxBuffer: callBytesMax,
  };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [enginesProgram, '--json', ...args],
      options,
      (failure, out, err) => {
        const exitCode = failure === null ? 0 : Number(failure.code ?? 1);
        resolve({ exitCode, printed: out, error: errorIn(err) });
      },
    );
  });
}

/** The message of the last line, which is JSON unless the program itself broke. */
function errorIn(text: string): string {
  const last = text.trimEnd().split('\n').at(-1) ?? '';
  try {
    return z.object({ error: z.string() }).parse(JSON.parse(last)).error;
  } catch {
    return text.trim();
  }
}
