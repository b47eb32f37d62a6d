import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { Client } from './client.ts';
import { limits } from './limits.ts';
import { answeringServer, problem, type Told } from './testing/answering-server.ts';

const shape = z.object({ total: z.int() });
const ask = { method: 'POST', path: '/v1/scores', body: { points: 3 } } as const;

async function clientOf(
  answers: readonly Told[],
  options: { prefix?: string; signal?: AbortSignal } = {},
) {
  const server = await answeringServer((_seen, index) => answers[index] ?? answers.at(-1)!);
  const client = new Client({
    url: `${server.url}${options.prefix ?? ''}`,
    key: 'a-key',
    signal: options.signal ?? new AbortController().signal,
  });
  onTestFinished(() => client.close());
  return { client, seen: server.seen };
}

describe('a request', () => {
  it('carries the key and the body, below the path of the address', async () => {
    const { client, seen } = await clientOf([{ status: 200, body: { total: 3 } }], {
      prefix: '/annals',
    });
    expect(await client.ask(ask, shape)).toEqual({ total: 3 });
    expect(seen).toEqual([
      {
        method: 'POST',
        url: '/annals/v1/scores',
        authorization: 'Bearer a-key',
        body: { points: 3 },
      },
    ]);
  });

  it.each([
    'rate-limited',
    'log-overloaded',
    'log-unreachable',
    'write-outcome-unknown',
    'not-there-yet',
  ])('refused with %s is sent again', async (code) => {
    const busy = problem(503, code);
    const { client, seen } = await clientOf([busy, busy, { status: 200, body: { total: 3 } }]);
    expect(await client.ask(ask, shape)).toEqual({ total: 3 });
    expect(seen).toHaveLength(3);
  });

  it('is not sent again for ever', async () => {
    const { client, seen } = await clientOf([problem(429, 'rate-limited', 'too many')]);
    await expect(client.ask(ask, shape)).rejects.toMatchObject({
      code: 'unexpected-answer',
      message: 'POST /v1/scores was answered 429: too many',
    });
    expect(seen).toHaveLength(limits.attemptsMax);
  });

  it.each([
    ['a refusal', problem(409, 'period-closed', 'closed'), 'answered 409: closed'],
    ['another shape', { status: 200, body: { total: 'x' } }, 'another shape (total: '],
    ['a gateway', { status: 502, body: '<html>' }, 'answered 502: an answer without a reason'],
  ])('answered with %s is an error that says so', async (_what, answer, message) => {
    const { client, seen } = await clientOf([answer]);
    await expect(client.ask(ask, shape)).rejects.toThrow(message);
    expect(seen).toHaveLength(1);
  });

  it.each([401, 403])('whose key is refused (%i) says so', async (status) => {
    const { client } = await clientOf([problem(status, 'unknown-key', 'The key is unknown.')]);
    await expect(client.ask(ask, shape)).rejects.toMatchObject({
      code: 'key-refused',
      exitCode: 5,
      message: expect.stringContaining('refuses the key: The key is unknown.'),
    });
  });

  it('to nobody says who does not answer', async () => {
    // Port 9 (discard) of this machine: browsers and services keep off it.
    const url = 'http://127.0.0.1:9';
    const client = new Client({ url, signal: new AbortController().signal });
    onTestFinished(() => client.close());
    await expect(client.send({ path: '/' })).rejects.toMatchObject({
      code: 'service-unreachable',
      exitCode: 5,
      message: expect.stringMatching(
        /^no service answers at http:\/\/127\.0\.0\.1:9: .*ECONNREFUSED/,
      ),
    });
  });

  it('ends when the demo is stopped, also between two attempts', async () => {
    const stop = new AbortController();
    const later = { ...problem(503, 'log-overloaded'), headers: { 'retry-after': '60' } };
    const { client, seen } = await clientOf([later], { signal: stop.signal });
    const asked = client.ask(ask, shape);
    await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(1);
    stop.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
  });
});
