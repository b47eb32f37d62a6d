import { join } from 'node:path';
import type { FromBareFastify } from '../peers/bare-fastify.ts';
import { Child } from './child.ts';
import type { Load, Loaded } from './load-process.ts';

const loadScript = join(import.meta.dirname, 'load-process.ts');
const bareScript = join(import.meta.dirname, '..', 'peers', 'bare-fastify.ts');
const zrevrankScript = join(import.meta.dirname, '../peers/zrevrank-fastify.ts');

/** The process that makes the load. */
export class HttpLoad {
  readonly #child = new Child<Loaded>(loadScript, []);

  /** One stretch of load. Throws an Error when an answer was none of `expected`. */
  async run(load: Load, expected: readonly string[] = ['200']): Promise<Loaded> {
    this.#child.send(load);
    const loaded = await this.#child.next();
    const other = Object.keys(loaded.statuses).find((status) => !expected.includes(status));
    if (other !== undefined || loaded.requests === 0) {
      throw new Error(`answers by status: ${JSON.stringify(loaded.statuses)}, ${loaded.sample}`);
    }
    return loaded;
  }

  end(): Promise<void> {
    return this.#child.end();
  }
}

/** A fastify server as a process of its own. */
export interface BareServer {
  readonly port: number;
  end(): Promise<void>;
}

/** It does the least: `answer` is what its GET says. */
export function startBareFastify(answer: string): Promise<BareServer> {
  return startBare(bareScript, [answer]);
}

/** Its GET asks Redis for one rank in the sorted set `key`. */
export function startZrevrankFastify(redisPort: number, key: string): Promise<BareServer> {
  return startBare(zrevrankScript, [String(redisPort), key]);
}

async function startBare(script: string, args: readonly string[]): Promise<BareServer> {
  const child = new Child<FromBareFastify>(script, args);
  const { port } = await child.next();
  return { port, end: () => child.end() };
}
