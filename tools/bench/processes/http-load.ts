import { join } from 'node:path';
import type { FromBareFastify } from '../peers/bare-fastify.ts';
import { Child } from './child.ts';
import type { Load, Loaded } from './load-process.ts';

const loadScript = join(import.meta.dirname, 'load-process.ts');
const bareScript = join(import.meta.dirname, '..', 'peers', 'bare-fastify.ts');

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

/** A fastify server that does the least, as a process of its own; `answer` is what its GET says. */
export async function startBareFastify(
  answer: string,
): Promise<{ readonly port: number; end(): Promise<void> }> {
  const child = new Child<FromBareFastify>(bareScript, [answer]);
  const { port } = await child.next();
  return { port, end: () => child.end() };
}
