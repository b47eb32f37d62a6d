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

test('the first generation is filled by itself; one that somebody has filled waits for him', () => {
  const empty = [emptyState('ledger'), stateWith('wallets', [generation(1, false)])];
  expect(waitingText(empty)).toBe('filled for the first time');
  expect(waitingText([...empty, stateWith('ledger', [generation(1)], [1])])).toBe(
    'filled for the first time',
  );
  const filled = [
    stateWith('ledger', [generation(1), generation(2), { ...generation(3), dropped: true }]),
    stateWith('wallets', [generation(1)]),
  ];
  expect(waitingText([...empty, ...filled])).toBe(
    'filled and not live (g2 of ledger, g1 of wallets): npx annals promote ledger && npx annals promote wallets',
  );
});
