import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenPlatform, openPlatform } from './testing/open-platform.ts';

let platform: OpenPlatform;
beforeAll(async () => {
  platform = await openPlatform();
});
afterAll(() => platform.close());

describe('/openapi.json', () => {
  it('is a valid OpenAPI 3.1 document', async () => {
    const { body } = await platform.call('GET /openapi.json');
    expect(body.openapi).toMatch(/^3\.1\./);
    const { valid, errors } = await new Validator().validate(body);
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
  });

  it('would not be valid with a route that is none: the validator can tell', async () => {
    const { body } = await platform.call('GET /openapi.json');
    body.paths['/v1/scores'].get.responses = 'anything';
    expect((await new Validator().validate(body)).valid).toBe(false);
  });

  it('says of every operation what it does, who may call it, and how it fails', async () => {
    const { body } = await platform.call('GET /openapi.json');
    const operations = Object.values<object>(body.paths).flatMap((path) => Object.values(path));
    expect(operations.length).toBeGreaterThan(14);
    for (const operation of operations) {
      expect(operation.summary).toBeTruthy();
      expect(operation.tags).toHaveLength(1);
      expect(operation.security[0].bearer).toHaveLength(1);
      expect(operation.responses).toHaveProperty('401');
      expect(operation.responses).toHaveProperty('400');
    }
    expect(body.paths['/v1/scores'].get.responses['503'].description).toContain('read-model-lost');
  });

  it('explains every problem that it names', async () => {
    const { body } = await platform.call('GET /openapi.json');
    const text = JSON.stringify(body);
    const { body: problems } = await platform.call('GET /problems');
    for (const { code } of problems.filter(({ of }: { of: string }) => of === 'leaderboard')) {
      expect(text, code).toContain(code);
      expect((await platform.call(`GET /problems/${code}`)).status).toBe(200);
    }
  });
});

describe('/docs', () => {
  it('is a page that loads nothing from anywhere else', async () => {
    const page = await fetch(`${platform.url}/docs/`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/https?:|\*/);
    const html = await page.text();
    expect(html).toContain('Annals');
    const sources = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source]) => source);
    expect(sources.length).toBeGreaterThan(0);
    for (const source of sources as string[]) {
      const at = new URL(source, `${platform.url}/docs/`);
      expect(at.origin, source).toBe(platform.url);
      expect((await fetch(at)).status, source).toBe(200);
    }
    expect(html).toContain('/openapi.json');
  });
});
