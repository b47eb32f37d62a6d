import { describe, expect, test } from 'vitest';
import { CircuitBreaker, type CircuitState, isOutage } from './circuit-breaker.ts';
import type { Psp, PspAnswer, PspPayment } from './port.ts';
import { mayFailOver, PspRouting, type RoutingRule } from './routing.ts';

const answered = { kind: 'answered', value: {} as PspPayment } as const;
const timeout = { kind: 'unknown', reason: 'timeout', detail: '' } as const;
const inFlight = { kind: 'unknown', reason: 'in_flight', detail: '' } as const;
const unreachable = { kind: 'refused', reason: 'unreachable', detail: '' } as const;
const declined = {
  kind: 'declined',
  reason: 'lost_card',
  code: 'lost_card',
  next: 'fail',
} as const;

class ManualTime {
  ms = 1_000_000;

  now(): number {
    return this.ms;
  }
}

/** A provider that says what the test wants, and counts what reaches it. */
class Spoken {
  calls = 0;
  says: PspAnswer<PspPayment> = answered;
  readonly psp: Psp;

  constructor(name: string) {
    const say = async () => {
      this.calls += 1;
      return this.says;
    };
    this.psp = { name, createPayment: say, confirmPayment: say } as unknown as Psp;
  }
}

function openRouting(rules: readonly RoutingRule[], names = ['one', 'two']) {
  const clock = new ManualTime();
  const spoken = names.map((name) => new Spoken(name));
  const psps = spoken.map(({ psp }) => psp);
  return { clock, spoken, routing: new PspRouting({ psps, rules, breaker: { clock } }) };
}

const usd = (amount: bigint, seller?: string) => ({
  amount: { amount, currency: 'USD' },
  ...(seller === undefined ? {} : { seller }),
});

async function fail({ spoken, routing }: ReturnType<typeof openRouting>, times = 5) {
  spoken[0]!.says = timeout;
  for (let time = 0; time < times; time += 1) {
    await routing.psp('one')?.confirmPayment({ key: 'k', paymentId: 'p' });
  }
}

describe('rules', () => {
  const rules: readonly RoutingRule[] = [
    { psp: 'two', sellers: ['vip'] },
    { psp: 'two', currencies: ['JPY', 'KRW'] },
    { psp: 'one', currencies: ['USD'], amountMax: 100_000n },
    { psp: 'two', currencies: ['USD'], amountMin: 100_001n, amountMax: 200_000n },
  ];
  const yen = { amount: { amount: 5n, currency: 'JPY' } };
  test.each([
    ['a seller', usd(5n, 'vip'), 'two'],
    ['another seller', usd(5n, 'other'), 'one'],
    ['a currency', yen, 'two'],
    ['the largest amount', usd(100_000n), 'one'],
    ['an amount above it', usd(100_001n), 'two'],
  ])('%s decides', (_, payment, name) => {
    expect(openRouting(rules).routing.choose(payment)).toMatchObject({ psp: { name } });
  });

  test('what nobody takes has no route, nor what everybody was tried with', () => {
    const { routing: choosing } = openRouting(rules);
    const euro = { amount: { amount: 5n, currency: 'EUR' } };
    expect(choosing.choose(euro).kind).toBe('no_route');
    expect(choosing.choose(usd(200_001n)).kind).toBe('no_route');
    expect(choosing.choose(usd(5n), ['one']).kind).toBe('no_route');
    expect(choosing.choose(usd(5n, 'vip'), ['two'])).toMatchObject({ psp: { name: 'one' } });
  });

  test('a rule for nobody, or two providers of one name, stop the start', () => {
    expect(() => openRouting([{ psp: 'three' }])).toThrow('three');
    expect(() => openRouting([], ['one', 'one'])).toThrow(TypeError);
  });
});

describe('health', () => {
  const rules = [{ psp: 'one' }, { psp: 'two' }];

  test('a provider that stops answering is left alone, and the next one is chosen', async () => {
    const given = openRouting(rules);
    await fail(given);
    const { spoken, routing: choosing } = given;
    expect(choosing.choose(usd(5n))).toMatchObject({ psp: { name: 'two' } });
    expect(choosing.states()).toEqual(
      new Map<string, CircuitState>([
        ['one', 'open'],
        ['two', 'closed'],
      ]),
    );
    // Calls about payments that it holds wait, and nothing is sent.
    const refused = await choosing.psp('one')?.confirmPayment({ key: 'k', paymentId: 'p' });
    expect(refused).toMatchObject({ kind: 'refused', reason: 'unavailable' });
    expect(spoken[0]!.calls).toBe(5);
  });

  test('where everybody is away it is said so, and nobody is asked', async () => {
    const given = openRouting([{ psp: 'one' }]);
    await fail(given);
    expect(given.routing.choose(usd(5n)).kind).toBe('unavailable');
  });

  test('after a while one call is let through, and decides', async () => {
    const given = openRouting(rules);
    const { clock, spoken, routing: choosing } = given;
    const confirm = () => choosing.psp('one')!.confirmPayment({ key: 'k', paymentId: 'p' });
    await fail(given);
    clock.ms += 30_000;
    const [first, second] = await Promise.all([confirm(), confirm()]);
    expect([first?.kind, second?.kind]).toEqual(['unknown', 'refused']);
    expect(choosing.states().get('one')).toBe('open');
    clock.ms += 30_000;
    spoken[0]!.says = answered;
    expect((await confirm()).kind).toBe('answered');
    expect(choosing.choose(usd(5n))).toMatchObject({ psp: { name: 'one' } });
    expect((await confirm()).kind).toBe('answered');
  });

  test('a call that throws leaves the way free for the next one', async () => {
    const given = openRouting(rules);
    await fail(given);
    given.clock.ms += 30_000;
    const one = given.routing.psp('one')!;
    const { spoken } = given;
    spoken[0]!.says = undefined as never;
    await expect(one.confirmPayment({ key: 'k', paymentId: 'p' })).rejects.toThrow();
    spoken[0]!.says = answered;
    expect((await one.confirmPayment({ key: 'k', paymentId: 'p' })).kind).toBe('answered');
  });

  test('a few outages among many answers open nothing', () => {
    const breaker = new CircuitBreaker({ clock: new ManualTime() });
    for (let call = 0; call < 100; call += 1) {
      breaker.observe(call % 3 === 0 ? timeout : answered);
      expect(breaker.state).toBe('closed');
    }
  });

  test('a clock that is set back does not keep it open', () => {
    const clock = new ManualTime();
    const breaker = new CircuitBreaker({ clock });
    for (let call = 0; call < 5; call += 1) breaker.observe(unreachable);
    expect(breaker.state).toBe('open');
    clock.ms -= 3_600_000;
    expect(breaker.state).toBe('half-open');
  });

  test('declines, refusals for a reason and answers kept for a key are no outage', () => {
    expect(isOutage(timeout)).toBe(true);
    expect(isOutage(unreachable)).toBe(true);
    for (const well of [answered, declined, inFlight]) expect(isOutage(well)).toBe(false);
    expect(isOutage({ ...timeout, reason: 'provider_error', replayed: true })).toBe(false);
    expect(isOutage({ kind: 'refused', reason: 'wrong_state', detail: '' })).toBe(false);
  });
});

describe('failing over', () => {
  test.each([
    ['unreachable', unreachable, true],
    ['unavailable', { ...unreachable, reason: 'unavailable' }, true],
    ['rate limited', { ...unreachable, reason: 'rate_limited' }, true],
    ['our key is not good there', { ...unreachable, reason: 'not_permitted' }, true],
    ['the network of cards had a fault', { ...declined, reason: 'processing_error' }, true],
    ['the card is lost', declined, false],
    ['no answer came', timeout, false],
    ['another call is under way', inFlight, false],
    ['it may be charged already', { ...unreachable, reason: 'wrong_state' }, false],
    ['the request is wrong', { ...unreachable, reason: 'invalid_request' }, false],
    ['the key was used', { ...unreachable, reason: 'key_reused' }, false],
    ['it was answered', answered, false],
    ['the buyer is asked', { ...answered, kind: 'requires_action', actionUrl: '/' }, false],
  ] as const)('%s: %s', (_, answer, may) => {
    expect(mayFailOver(answer as PspAnswer<unknown>)).toBe(may);
  });
});

describe('a payout that is asked for', () => {
  const rules: readonly RoutingRule[] = [{ psp: 'two', sellers: ['shop'] }, { psp: 'one' }];

  test("goes to its seller's provider, as one of the schedule does", () => {
    const { routing } = openRouting(rules);
    expect(routing.preferredForPayout('USD', 'shop')).toBe('two');
    expect(routing.preferredForPayout('USD', 'other')).toBe('one');
  });

  test('goes to the first that fits, where none of them answers at present', async () => {
    const site = openRouting([{ psp: 'one', sellers: ['shop'] }], ['one']);
    await fail(site);
    expect(site.routing.chooseForPayout('USD', 'shop').kind).toBe('unavailable');
    expect(site.routing.preferredForPayout('USD', 'shop')).toBe('one');
    expect(site.routing.preferredForPayout('USD', 'other')).toBeUndefined();
  });
});
