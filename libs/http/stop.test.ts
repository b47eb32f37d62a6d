import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { route, type SignalSource, stopOnSignals } from './index.ts';
import { openSampleApi, type SampleApi } from './testing/sample-api.ts';

const until = (check: () => void) => vi.waitFor(check, { timeout: 15_000, interval: 5 });

interface Held {
  readonly api: SampleApi;
  readonly port: number;
  readonly begun: () => number;
  release(): void;
}

/** A server with a route that is answered when the test says so. */
async function openHeld(options: Parameters<typeof openSampleApi>[0] = {}): Promise<Held> {
  let begun = 0;
  const gate = Promise.withResolvers<void>();
  const held = route({
    method: 'GET',
    url: '/v1/held',
    summary: 'x',
    public: true,
    response: z.strictObject({ done: z.boolean() }),
    handler: async () => {
      begun += 1;
      await gate.promise;
      return { done: true };
    },
  });
  const api = await openSampleApi({ ...options, routes: [held] });
  await api.server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = api.server.server.address() as { readonly port: number };
  return { api, port, begun: () => begun, release: () => gate.resolve() };
}

async function call(port: number, path: string, agent?: Agent) {
  const request = get({ host: '127.0.0.1', port, path, ...(agent ? { agent } : {}) });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks = await response.toArray();
  return { status: response.statusCode, headers: response.headers, body: chunks.join('') };
}

describe('stop()', () => {
  it('finishes what was accepted, accepts no more, then closes in order', async () => {
    const order: string[] = [];
    const held = await openHeld({
      closing: [
        { name: 'projector', close: async () => void order.push('projector') },
        { name: 'log', close: () => void order.push('log') },
      ],
    });
    const agent = new Agent({ keepAlive: true });
    const answers = [1, 2, 3].map(() => call(held.port, '/v1/held', agent));
    await until(() => expect(held.begun()).toBe(3));
    const stopped = held.api.server.stop().then(() => order.push('stopped'));
    // One that comes before the listener is closed is accepted, and served.
    const isUp = () => call(held.port, '/healthz').then(Boolean, () => false);
    await expect.poll(isUp, { timeout: 15_000 }).toBe(false);
    expect(order).toEqual([]);
    held.release();
    for (const answer of await Promise.all(answers)) {
      expect(answer).toMatchObject({ status: 200, body: '{"done":true}' });
    }
    await stopped;
    expect(order).toEqual(['projector', 'log', 'stopped']);
    agent.destroy();
  });

  it('says at /readyz that it is stopping while it drains, and serves on', async () => {
    const held = await openHeld({ drainMs: 1_000 });
    expect((await call(held.port, '/readyz')).status).toBe(200);
    const stopped = held.api.server.stop();
    const ready = await call(held.port, '/readyz');
    expect(ready.status).toBe(503);
    expect(ready.body).toContain('it is stopping');
    expect(ready.headers.connection).toBe('close');
    expect((await call(held.port, '/v1/scores/a')).status).toBe(200);
    await stopped;
    await expect(call(held.port, '/readyz')).rejects.toThrow();
  });

  it('waits for connections that were idle, but not for their idle time', async () => {
    const held = await openHeld();
    const agent = new Agent({ keepAlive: true });
    await call(held.port, '/healthz', agent);
    await held.api.server.stop();
    agent.destroy();
  });

  it('cuts requests that take longer than its limit', async () => {
    const held = await openHeld({ stopMsMax: 50 });
    const answer = call(held.port, '/v1/held').catch((error: Error) => error);
    await until(() => expect(held.begun()).toBe(1));
    await held.api.server.stop();
    expect(await answer).toBeInstanceOf(Error);
    held.release();
  });

  it('closes everything although something does not, and says so', async () => {
    const closed: string[] = [];
    const held = await openHeld({
      closing: [
        { name: 'projector', close: () => Promise.reject(new Error('stuck')) },
        { name: 'log', close: () => void closed.push('log') },
      ],
    });
    await expect(held.api.server.stop()).rejects.toThrow(AggregateError);
    expect(closed).toEqual(['log']);
  });

  it('is one stop, however often it is asked for', async () => {
    let closed = 0;
    const held = await openHeld({
      closing: [
        {
          name: 'log',
          close: () => {
            closed += 1;
          },
        },
      ],
    });
    await Promise.all([held.api.server.stop(), held.api.server.stop()]);
    await held.api.server.stop();
    expect(closed).toBe(1);
  });

  it('loses no request under load: what was handled was answered', async () => {
    let handled = 0;
    const quick = route({
      method: 'GET',
      url: '/v1/quick',
      summary: 'x',
      public: true,
      response: z.strictObject({ n: z.int() }),
      handler: async () => {
        handled += 1;
        await new Promise(setImmediate);
        return { n: handled };
      },
    });
    const api = await openSampleApi({ routes: [quick] });
    await api.server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = api.server.server.address() as { readonly port: number };
    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    let answered = 0;
    const caller = async () => {
      for (;;) {
        const answer = await call(port, '/v1/quick', agent).catch(() => undefined);
        if (!answer) return;
        expect(answer.status).toBe(200);
        answered += 1;
      }
    };
    const callers = Array.from({ length: 16 }, caller);
    await until(() => expect(answered).toBeGreaterThan(200));
    await api.server.stop();
    await Promise.all(callers);
    expect(answered).toBe(handled);
    agent.destroy();
  });
});

describe('signals', () => {
  class FakeProcess extends EventEmitter implements SignalSource {
    readonly exits: number[] = [];
    exit(code: number): void {
      this.exits.push(code);
    }
  }

  const log = { info: () => undefined } as unknown as SampleApi['server']['log'];

  it('stop once, exit with 0, and at once the second time', async () => {
    const source = new FakeProcess();
    const stop = Promise.withResolvers<void>();
    let stops = 0;
    stopOnSignals(
      {
        log,
        stop: () => {
          stops += 1;
          return stop.promise;
        },
      },
      { process: source },
    );
    source.emit('SIGTERM');
    expect(source.exits).toEqual([]);
    source.emit('SIGINT');
    expect(source.exits).toEqual([130]);
    stop.resolve();
    await until(() => expect(source.exits).toEqual([130, 0]));
    expect(stops).toBe(1);
  });

  it('exit with 1 when something did not close, and can be let go of', async () => {
    const source = new FakeProcess();
    const server = { log, stop: () => Promise.reject(new Error('stuck')) };
    const undo = stopOnSignals(server, { process: source });
    source.emit('SIGTERM');
    await until(() => expect(source.exits).toEqual([1]));
    undo();
    expect(source.listenerCount('SIGTERM') + source.listenerCount('SIGINT')).toBe(0);
  });
});

describe('a process', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  async function start() {
    const program = new URL('./testing/stoppable-server.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    await until(() => expect(lines.length).toBeGreaterThan(0));
    return { child, lines, exited, port: Number(lines[0]) };
  }

  it('that gets SIGTERM answers what it has, closes, and exits with 0', async () => {
    const { child, lines, exited, port } = await start();
    const answer = call(port, '/slow/300');
    await until(() => expect(lines).toContain('slow'));
    child.kill('SIGTERM');
    expect(await answer).toMatchObject({ status: 200, body: '{"done":true}' });
    expect(await exited).toEqual([0, null]);
    expect(lines.at(-1)).toBe('closed');
  });

  it('that gets two signals exits at once', async () => {
    const { child, lines, exited, port } = await start();
    const answer = call(port, '/slow/60000').catch((error: Error) => error);
    await until(() => expect(lines).toContain('slow'));
    child.kill('SIGTERM');
    // Both signals could arrive as one if they were sent together.
    const isUp = () => call(port, '/healthz').then(Boolean, () => false);
    await expect.poll(isUp, { timeout: 15_000 }).toBe(false);
    child.kill('SIGTERM');
    expect(await exited).toEqual([143, null]);
    expect(lines).not.toContain('closed');
    expect(await answer).toBeInstanceOf(Error);
  });
});
