import { expect, test } from 'vitest';
import type { Psp, PspHint } from '../psp/port.ts';
import {
  followHint,
  HintFilter,
  hintLimits,
  type Observed,
  sweep,
  type Waiting,
} from './psp-hints.ts';

type Said = Awaited<ReturnType<Psp['retrieve']>>;

const timeout: Said = { kind: 'unknown', reason: 'timeout', detail: '' };
const missing: Said = { kind: 'refused', reason: 'not_found', detail: '' };
const object = { kind: 'payment', id: 'pi_1' } as const;

/** A domain that holds the last status of each object. */
function means(says: () => Said) {
  const held = new Map<string, string>();
  const psp = { name: 'stripe', retrieve: async () => says() } as unknown as Psp;
  return {
    held,
    psp: (name: string) => (name === 'stripe' ? psp : undefined),
    observe: async ({ value }: Observed) => {
      const { id, status } = value;
      if (held.get(id) === status) return 'unchanged' as const;
      held.set(id, status);
      return 'changed' as const;
    },
  };
}

function payment(status: string): Said {
  return { kind: 'answered', value: { id: 'pi_1', status } } as Said;
}

test('a hint is followed to the object as it is now; the second one changes nothing', async () => {
  const given = means(() => payment('captured'));
  expect(await followHint(given, { psp: 'stripe', object })).toBe('changed');
  expect(await followHint(given, { psp: 'stripe', object })).toBe('unchanged');
  expect([...given.held]).toEqual([['pi_1', 'captured']]);
});

test.each([
  ['no answer', 'stripe', timeout, 'later'],
  ['an object that is not there', 'stripe', missing, 'not_ours'],
  ['a provider that is not set up', 'other', timeout, 'not_ours'],
] as const)('%s changes nothing', async (_, name, said, hinted) => {
  const given = means(() => said);
  expect(await followHint(given, { psp: name, object })).toBe(hinted);
  expect(given.held.size).toBe(0);
});

test('events are known by their id, each of its provider, and the oldest are forgotten', () => {
  const filter = new HintFilter();
  const hint = (eventId: string, psp = 'stripe') => ({ psp, eventId }) as PspHint;
  expect(filter.isNew(hint('evt_0'))).toBe(true);
  filter.remember(hint('evt_0'));
  expect(filter.isNew(hint('evt_0'))).toBe(false);
  expect(filter.isNew(hint('evt_0', 'other'))).toBe(true);
  for (let number = 1; number < hintLimits.eventsMax; number += 1) {
    filter.remember(hint(`evt_${number}`));
  }
  expect(filter.isNew(hint('evt_0'))).toBe(false);
  filter.remember(hint('evt_last'));
  expect(filter.isNew(hint('evt_0'))).toBe(true);
  expect(filter.isNew(hint('evt_1'))).toBe(false);
});

test('a sweep looks at all that waits, and goes on where one provider does not answer', async () => {
  const statuses: Said[] = [payment('captured'), timeout, payment('captured'), payment('voided')];
  const given = means(() => statuses.shift() ?? missing);
  const waiting: Waiting[] = Array.from({ length: 4 }, () => ({ psp: 'stripe', object }));
  const swept = await sweep(given, waiting, new AbortController().signal);
  expect(swept).toEqual({ looked: 4, changed: 2, later: 1 });
});

test('a sweep that is stopped looks no further', async () => {
  const given = means(() => payment('captured'));
  const swept = await sweep(given, [{ psp: 'stripe', object }], AbortSignal.abort());
  expect(swept).toEqual({ looked: 0, changed: 0, later: 0 });
});
