import { describePsp, triedTokens } from '@annals/payments/psp/contract';
import { expect, test } from 'vitest';
import { cards } from './core/test-tokens.ts';
import { openInProcess } from './testing/sites.ts';

describePsp('the Stripe adapter on the sandbox in process', () => openInProcess());

test('the contract tries every test card', () => {
  expect([...triedTokens].sort()).toEqual(cards.map(({ token }) => token).sort());
});
