import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseReference, type Reference, referenceOf } from './references.ts';

const id = fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' }).filter((text) => {
  // What is no text (half a character) is refused where it comes in.
  return text.isWellFormed();
});

test('every reference comes back, and holds nothing that a search would trip over', () => {
  const reference: fc.Arbitrary<Reference> = fc.oneof(
    fc.record({ kind: fc.constant('authentication' as const), checkout: id }),
    fc.record({
      ...{ kind: fc.constant('attempt' as const), checkout: id, order: id },
      attempt: fc.integer({ min: 1, max: 9_999 }),
    }),
    fc.record({ kind: fc.constant('refund' as const), checkout: id, order: id, refund: id }),
    fc.record({ kind: fc.constant('payout' as const), seller: id, payout: id }),
  );
  fc.assert(
    fc.property(reference, (one) => {
      const text = referenceOf(one);
      expect(text).toMatch(/^[\w.%~-]+$/);
      expect(parseReference(text)).toEqual(one);
    }),
  );
});

test.each([
  '',
  'x',
  'p~a~b',
  'p~a~b~0',
  'p~a~b~x',
  'p~a~b~1~2',
  'r~a~~c',
  'o~a',
  'a',
  'a~%',
  'a~%E0%A4',
])('%s is none of ours', (text) => {
  expect(parseReference(text)).toBeUndefined();
});
