import { Sandbox, type SandboxOptions } from '../core/sandbox.ts';
import { Storage } from '../core/storage.ts';
import { exchange } from '../exchange.ts';

/** A clock that a test moves. */
export class SettableTime {
  ms = Date.UTC(2026, 0, 15, 12);

  now = (): number => this.ms;
}

/** The same numbers for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface TestApi {
  readonly sandbox: Sandbox;
  readonly time: SettableTime;
  /** One request with a form-encoded body; the answer's JSON. */
  post(path: string, form?: Record<string, string>, key?: string): Promise<Answered>;
  get(path: string): Promise<Answered>;
  /** Lets time pass, doing what falls due on its way. */
  pass(ms: number): void;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes.
  readonly json: any;
}

export function openApi(options: Partial<SandboxOptions> = {}): TestApi {
  const time = new SettableTime();
  const sandbox = new Sandbox({
    storage: new Storage(':memory:'),
    now: time.now,
    random: seeded(1),
    key: 'sk_test_1',
    publicUrl: () => 'http://psp.test',
    ...options,
  });
  const send = async (method: string, path: string, body: string, key?: string) => {
    const [pathname = '', query = ''] = path.split('?');
    const headers = {
      authorization: 'Bearer sk_test_1',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    };
    const request = { method, path: pathname, query, body, headers };
    const exchanged = await exchange(sandbox, request, async (ms) => {
      time.ms += ms;
    });
    if (exchanged.kind === 'cut') throw new Error('cut');
    const { answer } = exchanged;
    const text = typeof answer.body === 'string' ? answer.body : [...answer.body].join('');
    const isJson = answer.headers['content-type'] === 'application/json';
    return { ...answer, text, json: isJson ? JSON.parse(text) : undefined };
  };
  return {
    sandbox,
    time,
    post: (path, form = {}, key) => send('POST', path, new URLSearchParams(form).toString(), key),
    get: (path) => send('GET', path, ''),
    pass: (ms) => pass(sandbox, time, time.ms + ms),
  };
}

function pass(sandbox: Sandbox, time: SettableTime, end: number): void {
  for (let due = sandbox.nextDueAt(); due !== undefined && due <= end; due = sandbox.nextDueAt()) {
    time.ms = Math.max(time.ms, due);
    sandbox.work();
  }
  time.ms = end;
  sandbox.work();
}
