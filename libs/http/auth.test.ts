import { describe, expect, it } from 'vitest';
import { bearerToken, insufficientScope, unauthorized } from './auth.ts';

describe('the Authorization header (RFC 6750)', () => {
  it.each([
    ['Bearer abc', 'abc'],
    ['bearer abc', 'abc'],
    ['BEARER  abc', 'abc'],
    ['Bearer a-._~+/9==', 'a-._~+/9=='],
  ])('%j carries %s', (header, token) => {
    expect(bearerToken(header)).toBe(token);
  });

  it.each([
    ['', 'malformed-token'],
    ['Bearer', 'malformed-token'],
    ['Bearer ', 'malformed-token'],
    ['Bearerabc', 'malformed-token'],
    ['Basic abc', 'malformed-token'],
    ['Bearer a b', 'malformed-token'],
    ['Bearer a,Bearer b', 'malformed-token'],
    ['Bearer =', 'malformed-token'],
    [`Bearer ${'a'.repeat(5_000)}`, 'malformed-token'],
    [undefined, 'missing-token'],
  ])('%j is refused as %s', (header, code) => {
    expect(bearerToken(header)).toMatchObject({ status: 401, code });
  });

  it('is challenged with an error code only when there was a token (§3.1)', () => {
    expect(unauthorized('missing').headers['www-authenticate']).toBe('Bearer realm="annals"');
    expect(unauthorized('revoked').headers['www-authenticate']).toBe(
      'Bearer realm="annals", error="invalid_token"',
    );
    expect(insufficientScope('a:b').headers['www-authenticate']).toBe(
      'Bearer realm="annals", error="insufficient_scope", scope="a:b"',
    );
  });
});
