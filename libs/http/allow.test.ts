import { describe, expect, it } from 'vitest';
import { refusalsOf, refuseDoubles } from './allow.ts';
import { type Method, route } from './route.ts';

const at = (method: Method, url: string) =>
  route({ method, url, summary: 'x', public: true, handler: (_request, reply) => reply.send() });

describe('methods a path lacks', () => {
  it('are refused, and Allow lists the others', () => {
    const [refusals] = refusalsOf([at('GET', '/a'), at('POST', '/a')]);
    expect(refusals).toMatchObject({ url: '/a', allow: 'GET, HEAD, POST' });
    expect(refusals?.methods).toEqual(['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']);
  });

  it('leave a path to the pattern of another route', () => {
    const [batch, user] = refusalsOf([at('POST', '/scores/batch'), at('GET', '/scores/:user')]);
    expect(batch).toMatchObject({ url: '/scores/batch', allow: 'GET, HEAD, POST' });
    expect(batch?.methods).not.toContain('GET');
    expect(user).toMatchObject({ url: '/scores/:user', allow: 'GET, HEAD' });
    expect(user?.methods).toContain('POST');
  });
});

describe('two routes of one name', () => {
  it('are a mistake', () => {
    expect(() => refuseDoubles([at('GET', '/a'), at('GET', '/a')])).toThrow('GET /a is declared');
  });
});
