import { describe, expect, test } from 'vitest';
import { evidenceInput } from './evidence-input.ts';
import { limits } from './limits.ts';

const takes = (evidence: object) => evidenceInput.safeParse({ evidence }).success;
const long = 'x'.repeat(limits.evidenceCharsMax);

describe('evidence', () => {
  test('is text by the names that there are', () => {
    expect(takes({ statement: 'It was sent. It came.', shipping_tracking_number: 'T 1' })).toBe(
      true,
    );
    expect(takes({ statement: long })).toBe(true);
    expect(evidenceInput.safeParse(undefined).success).toBe(true);
    expect(evidenceInput.safeParse({}).success).toBe(false);
  });

  test.each([
    ['nothing', {}],
    ['an empty text', { statement: '' }],
    ['another name', { opinion: 'x' }],
    ['no text', { statement: 5 }],
    ['a card number', { statement: 'paid with 4242 4242 4242 4242' }],
    ['a control character', { statement: 'a\u0000b' }],
    ['lines', { statement: 'a\nb' }],
    ['half a character', { statement: 'a\ud800' }],
    ['too long a text', { statement: `${long}x` }],
    [
      'too much in all',
      Object.fromEntries(
        ['statement', 'product_description', 'service_date', 'shipping_date', 'shipping_carrier']
          .concat(['shipping_address', 'access_activity_log', 'cancellation_rebuttal'])
          .map((name) => [name, long]),
      ),
    ],
  ])('of %s is refused', (_what, evidence) => {
    expect(takes(evidence)).toBe(false);
  });
});
