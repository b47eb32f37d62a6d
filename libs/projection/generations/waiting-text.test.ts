import { expect, test } from 'vitest';
import { emptyState, type Generation, type ProjectionState } from './state.ts';
import { waitingText } from './waiting-text.ts';

const generation = (number: number, rebuilt = true): Generation => ({
  ...{ generation: number, id: `${number}`, version: 1, workers: 1, until: undefined },
  ...{ createdBy: 'ops', createdAt: 0, halted: undefined, verified: undefined, dropped: false },
  rebuilt: rebuilt ? { checkpoint: {}, at: 0 } : undefined,
});

const stateWith = (
  projection: string,
  generations: readonly Generation[],
  promotions: readonly number[] = [],
): ProjectionState => ({
  ...emptyState(projection),
  generations: new Map(generations.map((one) => [one.generation, one])),
  promotions,
});

test('the first generation is filled and made live by itself', () => {
  const live = stateWith('ledger', [generation(1)], [1]);
  expect(waitingText([emptyState('ledger'), live])).toBe('filled for the first time');
});

test.each([
  [
    'one that somebody has filled waits for him',
    [generation(1), generation(2), { ...generation(3), dropped: true }],
    'g2 of ledger is filled: npx annals promote ledger --generation g2',
  ],
  [
    'one that was left half way is gone on with',
    [generation(1, false)],
    'g1 of ledger is not whole: npx annals status, npx annals rebuild ledger',
  ],
  [
    'one that ends at a point in time is none to make live',
    [{ ...generation(1), until: { kind: 'checkpoint', checkpoint: '' } as never }],
    'g1 of ledger is not whole: npx annals status, npx annals rebuild ledger',
  ],
  [
    'where all were dropped the projector makes one when it starts',
    [{ ...generation(1), dropped: true }],
    'all generations of ledger were dropped: start the projector again',
  ],
])('%s', (_, generations, text) => {
  const states = [emptyState('wallets'), stateWith('ledger', generations)];
  expect(waitingText(states)).toBe(`not live: ${text}`);
});
