import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenApiDocument } from './testing/operations.ts';
import { openSampleApi, type SampleApi } from './testing/sample-api.ts';

let api: SampleApi;
beforeAll(async () => {
  api = await openSampleApi({ docs: true });
});
afterAll(() => api.close());

describe('/openapi.json', () => {
  it('is OpenAPI 3.1 with schemas, scopes, limits and problems', async () => {
    const answer = await api.server.inject('/openapi.json');
    const document = answer.json();
    expect(document.openapi).toBe('3.1.0');
    expect(document.info).toEqual({ title: 'Sample', version: '1.0.0' });
    expect(Object.keys(document.paths)).toEqual([
      '/v1/scores',
      '/v1/scores/batch',
      '/v1/scores/{match_id}',
      '/v1/live',
    ]);
    const post = document.paths['/v1/scores'].post;
    expect(post.security).toEqual([{ bearer: ['scores:write'] }]);
    expect(post['x-body-bytes-max']).toBe(65_536);
    expect(post.responses[409].description).toBe('Conflict: score-conflict');
    expect(post.responses[400].content['application/problem+json'].schema).toEqual({
      $ref: '#/components/schemas/Problem',
    });
    const body = post.requestBody.content['application/json'].schema;
    expect(body.additionalProperties).toBe(false);
    expect(body.required).toEqual(['user_id', 'points', 'match_id']);
    expect(body.properties.points).toEqual({
      type: 'integer',
      minimum: -1_000_000,
      maximum: 1_000_000,
    });
  });

  it('documents parameters as what they are, and answers without a body as such', async () => {
    const document = (await api.server.inject('/openapi.json')).json();
    const { get, delete: removal } = document.paths['/v1/scores/{match_id}'];
    expect(get.security).toBeUndefined();
    expect(get.parameters[0]).toMatchObject({
      in: 'query',
      name: 'around',
      required: false,
      schema: { type: 'integer', minimum: 0, maximum: 50, default: 4 },
    });
    expect(removal.responses[204]).toEqual({ description: 'No Content' });
    const live = document.paths['/v1/live'].get;
    expect(Object.keys(live.responses[200].content)).toEqual(['text/event-stream']);
  });

  it('leaves out the routes that are no part of the product', async () => {
    const document = (await api.server.inject('/openapi.json')).json<OpenApiDocument>();
    const methods = Object.values(document.paths ?? {}).flatMap((item) => Object.keys(item));
    expect(methods.toSorted()).toEqual(['delete', 'get', 'get', 'post', 'post']);
  });
});

describe('/docs', () => {
  it('is a page that loads nothing from anywhere else', async () => {
    const redirect = await api.server.inject('/docs');
    expect(redirect.headers.location).toBe('/docs/');
    const page = await api.server.inject('/docs/');
    expect(page.statusCode).toBe(200);
    expect(page.body).toContain('<title>Sample</title>');
    expect(page.body).not.toMatch(/(?:src|href)="https?:/);
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('http');
    const scripts = [...page.body.matchAll(/<script([^>]*)>/g)].map((match) => match[1] ?? '');
    expect(scripts.length).toBeGreaterThan(1);
    for (const script of scripts) {
      const nonce = /nonce="([^"]+)"/.exec(script)?.[1];
      expect(policy).toContain(`'nonce-${nonce}'`);
    }
  });

  it('serves its script out of the package', async () => {
    const script = await api.server.inject('/docs/js/scalar.js');
    expect(script.statusCode).toBe(200);
    expect(script.headers['content-type']).toContain('javascript');
    expect(script.body.length).toBeGreaterThan(1_000_000);
  });
});
