import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { expect, test } from 'vitest';
import { mayRetry, type PspAnswer, type PspPayment } from './port.ts';

type NextStep = (answer: PspAnswer<PspPayment>) => string;

/** The function of the README's example, as it stands there. */
function exampleOfReadme(): NextStep {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const body = stripTypeScriptTypes(example.replace(/^import .*\n/gm, '').replace('export ', ''));
  return new Function('mayRetry', `${body}\nreturn nextStep;`)(mayRetry) as NextStep;
}

test('the example of the README says what to do with every answer', () => {
  const nextStep = exampleOfReadme();
  const value = { status: 'authorized' } as PspPayment;
  expect(nextStep({ kind: 'answered', value })).toBe('authorized');
  expect(nextStep({ kind: 'requires_action', value, actionUrl: '/3ds' })).toBe(
    'send the buyer to /3ds',
  );
  const declined = { kind: 'declined', reason: 'lost_card', code: 'lost_card' } as const;
  expect(nextStep({ ...declined, next: 'ask_buyer' })).toBe('ask for another card');
  expect(nextStep({ ...declined, next: 'fail' })).toBe('fail');
  const refused = { kind: 'refused', detail: '' } as const;
  expect(nextStep({ ...refused, reason: 'rate_limited' })).toBe('send it again later');
  expect(nextStep({ ...refused, reason: 'invalid_request' })).toBe('fail');
  expect(nextStep({ kind: 'unknown', reason: 'timeout', detail: '' })).toBe('look it up');
});

test.each([
  ['rate_limited', true],
  ['unreachable', true],
  ['unavailable', true],
  ['balance_insufficient', true],
  ['wrong_state', false],
  ['not_found', false],
  ['invalid_request', false],
  ['not_permitted', false],
  ['key_reused', false],
  ['no_route', false],
] as const)('%s may succeed when it is sent again: %s', (reason, again) => {
  expect(mayRetry({ kind: 'refused', reason, detail: '' })).toBe(again);
});
