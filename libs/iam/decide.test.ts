import { describe, expect, test } from 'vitest';
import { decideIssue, decideRevoke, type IssueKey, type KeyDecision } from './decide.ts';
import { limits } from './limits.ts';
import { isScope, scopeNames } from './scopes.ts';
import { type ApiKey, evolve, statusOf } from './state.ts';

const now = 1_700_000_000_000;
const issue: IssueKey = {
  keyId: '0123456789abcdef',
  name: 'game server',
  scopes: ['scores:write'],
  secretHash: 'a'.repeat(64),
  issuedBy: 'cli',
  now,
};
const revoke = { keyId: issue.keyId, revokedBy: 'admin', now: now + 1_000 };

/** The key after what was decided from `key` on. */
function after(key: ApiKey | undefined, decision: KeyDecision): ApiKey | undefined {
  if (decision.kind !== 'decided') throw new Error(decision.detail);
  return decision.events.reduce<ApiKey | undefined>(evolve, key);
}
const issued = after(undefined, decideIssue(undefined, issue)) as ApiKey;

describe('given no key', () => {
  test('when one is issued, then it is there as asked for', () => {
    expect(issued).toEqual({
      keyId: issue.keyId,
      name: 'game server',
      scopes: ['scores:write'],
      secretHash: issue.secretHash,
      issuedAt: now,
      issuedBy: 'cli',
    });
  });

  test('when one is issued twice with the same id, then it is the same event', () => {
    expect(decideIssue(undefined, issue)).toEqual(decideIssue(undefined, { ...issue }));
  });

  test('when scopes are asked for twice or in another order, then each is granted once, by the table', () => {
    const scopes = ['scores:write', 'scores:read', 'scores:write'];
    const key = after(undefined, decideIssue(undefined, { ...issue, scopes }));
    expect(key?.scopes).toEqual(['scores:read', 'scores:write']);
  });

  test('when it is revoked, then it is refused', () => {
    expect(decideRevoke(undefined, revoke)).toMatchObject({ reason: 'unknown-key' });
  });

  test.each([
    ['invalid-name', { name: '' }],
    ['invalid-name', { name: ' x' }],
    ['invalid-name', { name: 'x\n' }],
    ['invalid-name', { name: 'a\u0000b' }],
    ['invalid-name', { name: 'a\u2028b' }],
    ['invalid-name', { name: '\ud800' }],
    ['invalid-name', { name: 'x'.repeat(limits.nameCharsMax + 1) }],
    ['invalid-scopes', { scopes: [] }],
    ['invalid-scopes', { scopes: ['scores:read', 'scores:delete'] }],
    ['invalid-scopes', { scopes: ['__proto__'] }],
    ['invalid-scopes', { scopes: ['Admin'] }],
    ['invalid-expiry', { expiresAt: now }],
    ['invalid-expiry', { expiresAt: now - 1 }],
    ['invalid-expiry', { expiresAt: now + 0.5 }],
    ['invalid-expiry', { expiresAt: Number.NaN }],
    ['invalid-expiry', { expiresAt: Number.POSITIVE_INFINITY }],
    ['invalid-expiry', { expiresAt: now + limits.lifetimeMsMax + 1 }],
    ['invalid-actor', { issuedBy: '' }],
    ['invalid-actor', { issuedBy: 'Ann Example' }],
    ['invalid-actor', { issuedBy: 'x'.repeat(limits.actorCharsMax + 1) }],
    ['invalid-key-id', { keyId: 'a-b' }],
  ])('refuses with %s: %j', (reason, change) => {
    expect(decideIssue(undefined, { ...issue, ...change })).toMatchObject({
      kind: 'refused',
      reason,
    });
  });

  test('just fits: the longest name, the farthest expiry, every scope', () => {
    const command = {
      ...issue,
      name: 'x'.repeat(limits.nameCharsMax),
      expiresAt: now + limits.lifetimeMsMax,
      scopes: scopeNames,
    };
    expect(decideIssue(undefined, command).kind).toBe('decided');
  });
});

describe('given an issued key', () => {
  test('when the same id is issued again, then it is refused', () => {
    expect(decideIssue(issued, issue)).toMatchObject({ reason: 'key-exists' });
  });

  test('when it is revoked, then it tells when and by whom', () => {
    const key = after(issued, decideRevoke(issued, revoke));
    expect(key?.revoked).toEqual({ at: now + 1_000, by: 'admin' });
  });

  test('when it is revoked by nobody, then it is refused', () => {
    expect(decideRevoke(issued, { ...revoke, revokedBy: '' })).toMatchObject({
      reason: 'invalid-actor',
    });
  });
});

describe('given a revoked key', () => {
  const revoked = after(issued, decideRevoke(issued, revoke)) as ApiKey;

  test('when it is revoked again, then nothing happens', () => {
    const again = decideRevoke(revoked, { ...revoke, revokedBy: 'cli' });
    expect(again).toEqual({ kind: 'decided', events: [] });
  });

  test('when its events are told again, then nothing changes', () => {
    const first = decideIssue(undefined, issue);
    const second = decideRevoke(issued, { ...revoke, revokedBy: 'other' });
    expect(after(after(revoked, first), second)).toEqual(revoked);
  });
});

test('a key is expired from its expiry on; revoked says more', () => {
  const key: ApiKey = { ...issued, expiresAt: now + 10 };
  expect(statusOf(key, now + 9)).toBe('active');
  expect(statusOf(key, now + 10)).toBe('expired');
  expect(statusOf({ ...key, revoked: { at: now, by: 'cli' } }, now + 10)).toBe('revoked');
  expect(statusOf(issued, Number.MAX_SAFE_INTEGER)).toBe('active');
});

test('a scope is one of the table, and nothing an object brings along', () => {
  expect(scopeNames.every(isScope)).toBe(true);
  for (const text of ['', 'constructor', '__proto__', 'toString', 'SCORES:READ']) {
    expect(isScope(text), text).toBe(false);
  }
});
