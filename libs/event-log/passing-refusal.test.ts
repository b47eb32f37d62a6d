import { expect, test } from 'vitest';
import { isPassing } from './passing-refusal.ts';

test('what passes by itself may be sent again, what is wrong with the append may not', () => {
  expect((['overloaded', 'unreachable'] as const).every(isPassing)).toBe(true);
  expect(isPassing('append-too-large')).toBe(false);
  expect(isPassing('invalid-event')).toBe(false);
});
