import { expect, test } from 'vitest';
import { effectiveScopes, scopeNames } from './scopes.ts';

test('admin stands for every scope', () => {
  expect(effectiveScopes(['admin'])).toEqual(scopeNames);
});

test('any scope of payments lets payments be read, and brings no other one along', () => {
  expect(effectiveScopes(['payments:merchant'])).toEqual(['payments:merchant', 'payments:read']);
  expect(effectiveScopes(['payments:read'])).toEqual(['payments:read']);
  expect(effectiveScopes(['scores:read', 'ops:read'])).toEqual(['scores:read', 'ops:read']);
});
