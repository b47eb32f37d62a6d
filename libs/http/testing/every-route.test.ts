import fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkAccess, checkBadInput, checkExample } from './checks.ts';
import { describeEveryRoute } from './every-route.ts';
import { type OpenApiDocument, type Operation, operationsOf } from './operations.ts';
import { openSampleApi, type SampleApi } from './sample-api.ts';

const score = {
  user_id: 'ann',
  points: 3,
  match_id: 'm-1',
  mode: 'ranked',
  occurred_at: '2026-11-02T10:00:00Z',
  note: 'gg',
};

const examples = {
  'POST /v1/scores': { body: score, freeText: ['body.note'] },
  'POST /v1/scores/batch': { body: { scores: [score] }, freeText: ['body.scores.0.note'] },
  'GET /v1/scores/{match_id}': { params: { match_id: 'm-1' }, query: { around: 4 } },
  'DELETE /v1/scores/{match_id}': { params: { match_id: 'm-1' }, status: 204 },
  'GET /v1/live': { query: { top: 3 } },
};

describeEveryRoute('the sample API', { open: () => openSampleApi(), examples });

describe('the checks, on an API that takes anything', () => {
  let good: SampleApi;
  let operations: Map<string, Operation>;
  let writes = 0;
  const sloppy = fastify({ logger: false });
  const api = {
    server: sloppy,
    issueKey: () => 'key-that-opens-everything',
    revokeKey: () => undefined,
    stored: () => writes,
  };

  beforeAll(async () => {
    good = await openSampleApi();
    const document = (await good.server.inject('/openapi.json')).json<OpenApiDocument>();
    operations = new Map(operationsOf(document).map((one) => [one.name, one]));
    sloppy.addContentTypeParser('*', (_request, _payload, done) => done(null, {}));
    sloppy.all('/*', () => {
      writes += 1;
      return {};
    });
    await sloppy.ready();
  });
  afterAll(() => good.close());

  const operation = (name: string) => operations.get(name)!;

  it('report every bad request that is taken, and that it was written', async () => {
    const name = 'POST /v1/scores';
    const { requests, failures } = await checkBadInput(api, operation(name), examples[name]);
    const taken = failures.filter((failure) => failure.includes('answered 200'));
    const written = failures.filter((failure) => failure.includes('something was written'));
    expect(requests).toBeGreaterThan(100);
    // Fastify itself refuses malformed JSON, with 400 but no problem; all else goes through.
    expect(taken.length).toBeGreaterThan(80);
    expect(written.length).toBe(taken.length);
    expect(failures.some((failure) => failure.includes('no application/problem+json'))).toBe(true);
  });

  it('attack each field with every kind of bad value', async () => {
    const name = 'POST /v1/scores';
    const { failures } = await checkBadInput(api, operation(name), examples[name]);
    for (const part of [
      'body: points: 1e400',
      'body: points: NaN',
      'body: points: a fraction',
      'body: points: an unsafe integer',
      'body: points: string instead of integer',
      'body: user_id: missing',
      'body: user_id: empty text',
      'body: user_id: 10 KB of text',
      'body: user_id: text with \\u0000',
      'body: user_id: text with \\ud800',
      'body: occurred_at: the date 0001-01-01T00:00:00Z',
      'body: mode: none of the values',
      'body: no_such_field: an unknown field',
      'body: __proto__: an unknown field',
      'body: too large',
      'body: Content-Type text/plain',
      'query: no_such_parameter is no parameter',
      'method: PATCH',
    ]) {
      expect(
        failures.some((failure) => failure.startsWith(part)),
        part,
      ).toBe(true);
    }
    expect(failures.some((failure) => failure.startsWith('body: note: text with'))).toBe(false);
  });

  it('attack what is in lists, parameters in paths and queries, and bodies nobody asked for', async () => {
    const batch = 'POST /v1/scores/batch';
    const one = 'GET /v1/scores/{match_id}';
    const removal = 'DELETE /v1/scores/{match_id}';
    const { failures } = await checkBadInput(api, operation(batch), examples[batch]);
    expect(failures.join('\n')).toContain('body: scores.0.points: 1e400');
    expect(failures.join('\n')).toContain('body: scores: 51 items');
    expect(failures.join('\n')).toContain('body: scores: no items');
    const reads = (await checkBadInput(api, operation(one), examples[one])).failures.join('\n');
    expect(reads).toContain('query: around given twice');
    expect(reads).toContain('query: around: a fraction');
    expect(reads).toContain('query: ties: none of the values');
    expect(reads).toContain('path: match_id: text with \\u0000');
    expect(reads).toContain('path: match_id: 10 KB of text');
    const removals = await checkBadInput(api, operation(removal), examples[removal]);
    expect(removals.failures.join('\n')).toContain('body: unexpected');
  });

  it('report routes that need no key', async () => {
    const name = 'POST /v1/scores';
    const failures = await checkAccess(api, operation(name), examples[name], 'scores:read');
    for (const what of ['no key', 'another scheme', 'a revoked key', 'another scope']) {
      expect(
        failures.some((failure) => failure.startsWith(`${what}:`)),
        what,
      ).toBe(true);
    }
    expect(failures).toContain('no key: it was written');
  });

  it('report a public route that asks for a key', async () => {
    const asPublic = { ...operation('POST /v1/scores'), scope: undefined };
    const failures = await checkAccess(good, asPublic, examples['POST /v1/scores'], 'x');
    expect(failures).toEqual(['public, but answered 401']);
  });

  it('report an example that is not answered well', async () => {
    const failures = await checkExample(good, operation('POST /v1/scores'), { body: {} });
    expect(failures).toHaveLength(1);
  });
});
