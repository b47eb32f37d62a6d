import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import {
  allScreens,
  amountScreen,
  type DenyListChange,
  DenyListScreen,
  decideDenyList,
  externalLimits,
  externalScreen,
  type RiskRequest,
  type RiskScreen,
  SanctionsList,
  sanctionsScreen,
  strictest,
  VelocityScreen,
  velocityLimits,
} from './index.ts';

const hourMs = 3_600_000;
let orders = 0;

function request(given: Partial<RiskRequest> & { readonly usd?: bigint } = {}): RiskRequest {
  const { usd = 1_000n, ...more } = given;
  orders += 1;
  return {
    ...{ checkoutId: 'checkout', orderId: `order-${orders}`, seller: 'shop', buyer: 'ann' },
    ...{ amount: { amount: usd, currency: 'USD' }, at: 10 * hourMs },
    ...more,
  };
}

describe('several screens', () => {
  const says = (name: string, verdict: 'accepted' | 'review' | 'rejected'): RiskScreen => ({
    name,
    assess: async () => ({ verdict, rules: verdict === 'accepted' ? [] : [`${name}:x`] }),
  });

  test('the strictest verdict counts, and every rule is named', async () => {
    const screens = [says('a', 'accepted'), says('b', 'rejected'), says('c', 'review')];
    expect(await allScreens(screens).assess(request())).toEqual({
      ...{ verdict: 'rejected', rules: ['b:x', 'c:x'] },
    });
    expect(strictest([])).toEqual({ verdict: 'accepted', rules: [] });
  });

  test('one that has a fault puts the order under review', async () => {
    const faulty: RiskScreen = { name: 'faulty', assess: () => Promise.reject(new Error('bug')) };
    expect(await allScreens([says('a', 'accepted'), faulty]).assess(request())).toEqual({
      ...{ verdict: 'review', rules: ['faulty:fault'] },
    });
  });
});

describe('velocity', () => {
  test('orders of one buyer in a window, the window sliding', async () => {
    const rule = { by: 'buyer', windowMs: hourMs, ordersMax: 2, verdict: 'review' } as const;
    const screen = new VelocityScreen([rule]);
    const at = (minutes: number) => request({ at: minutes * 60_000 });
    expect((await screen.assess(at(0))).verdict).toBe('accepted');
    expect((await screen.assess(at(30))).verdict).toBe('accepted');
    expect(await screen.assess(at(59))).toEqual({ verdict: 'review', rules: ['velocity:buyer'] });
    expect((await screen.assess(request({ at: 59 * 60_000, buyer: 'bob' }))).verdict).toBe(
      'accepted',
    );
    expect((await screen.assess(at(120))).verdict).toBe('accepted');
  });

  test('one card under many buyers; without a card there is nothing to count', async () => {
    const rule = { by: 'card', windowMs: hourMs, ordersMax: 1, verdict: 'rejected' } as const;
    const screen = new VelocityScreen([rule]);
    const pay = (buyer: string, fingerprint?: string) =>
      screen.assess(request({ buyer, ...(fingerprint ? { fingerprint } : {}) }));
    expect((await pay('ann', 'card-1')).verdict).toBe('accepted');
    expect(await pay('bob', 'card-1')).toEqual({ verdict: 'rejected', rules: ['velocity:card'] });
    expect((await pay('bob', 'card-2')).verdict).toBe('accepted');
    expect((await pay('ann')).verdict).toBe('accepted');
    expect((await pay('ann')).verdict).toBe('accepted');
  });

  test('amounts of one currency add up', async () => {
    const amountMax = { amount: 2_500n, currency: 'USD' };
    const rule = { by: 'buyer', windowMs: hourMs, amountMax, verdict: 'review' } as const;
    const screen = new VelocityScreen([rule]);
    const yen = { amount: 9_999n, currency: 'JPY' };
    expect((await screen.assess(request())).verdict).toBe('accepted');
    expect((await screen.assess(request({ amount: yen }))).verdict).toBe('accepted');
    expect((await screen.assess(request({ usd: 1_500n }))).verdict).toBe('accepted');
    expect((await screen.assess(request({ usd: 1n }))).verdict).toBe('review');
  });

  test('an order counts once, however often its event is shown', async () => {
    const rule = { by: 'buyer', windowMs: hourMs, ordersMax: 1, verdict: 'review' } as const;
    const screen = new VelocityScreen([rule]);
    const one = request();
    for (let time = 0; time < 5; time += 1) screen.observe(one);
    expect((await screen.assess(one)).verdict).toBe('accepted');
    expect((await screen.assess(request())).verdict).toBe('review');
  });

  test('however many orders come, a rule that allows fewer than are remembered speaks', async () => {
    const ordersMax = velocityLimits.ordersMax - 1;
    const rule = { by: 'buyer', windowMs: hourMs, ordersMax, verdict: 'review' } as const;
    const screen = new VelocityScreen([rule]);
    for (let order = 0; order < ordersMax; order += 1) screen.observe(request());
    for (let order = 0; order < 20; order += 1) {
      expect((await screen.assess(request())).verdict).toBe('review');
    }
    expect(() => new VelocityScreen([{ ...rule, ordersMax: ordersMax + 1 }])).toThrow(RangeError);
  });
});

test.each([
  [99n, 'USD', 'accepted'],
  [100n, 'USD', 'review'],
  [999n, 'USD', 'review'],
  [1_000n, 'USD', 'rejected'],
  [1n, 'EUR', 'review'],
] as const)('%d %s is %s', async (amount, currency, verdict) => {
  const screen = amountScreen([{ currency: 'USD', reviewFrom: 100n, rejectFrom: 1_000n }]);
  expect((await screen.assess(request({ amount: { amount, currency } }))).verdict).toBe(verdict);
});

describe('deny lists', () => {
  const change: DenyListChange = {
    ...{ list: 'buyer', value: 'Ann@Example.com ', reason: 'chargebacks' },
    ...{ decidedBy: 'key-7', requestId: 'request-1', at: 5 },
  };

  test('who is on one is rejected, until it is lifted; the events name nobody', async () => {
    const screen = new DenyListScreen();
    const buyer = request({ buyer: 'ann@example.com' });
    const listed = decideDenyList(screen, 'listed', change);
    expect(JSON.stringify(listed)).not.toMatch(/ann/i);
    screen.apply(listed!);
    expect(await screen.assess(buyer)).toEqual({ verdict: 'rejected', rules: ['deny-list:buyer'] });
    expect((await screen.assess(request({ fingerprint: 'ann@example.com' }))).verdict).toBe(
      'accepted',
    );
    const lifted = decideDenyList(screen, 'lifted', { ...change, requestId: 'request-2' });
    screen.apply(lifted!);
    expect((await screen.assess(buyer)).verdict).toBe('accepted');
  });

  test('what is so already needs no event, and a request that comes twice is one event', () => {
    const screen = new DenyListScreen();
    expect(decideDenyList(screen, 'lifted', change)).toBeUndefined();
    const first = decideDenyList(screen, 'listed', change);
    expect(decideDenyList(screen, 'listed', change)?.id).toBe(first?.id);
    screen.apply(first!);
    expect(decideDenyList(screen, 'listed', change)).toBeUndefined();
  });
});

describe('sanctions', () => {
  const list = new SanctionsList(['Doe, José', 'Ivan Petrovich SIDOROV', 'Acme', '', '···']);
  test.each([
    ['jose doe', 'match'],
    ['José Doe', 'match'],
    ['Ivan Petrovich Sidorov', 'match'],
    ['Ivan Sidorov', 'possible'],
    ['Jose Maria Doe', 'possible'],
    ['Acme', 'match'],
    ['Acme Trading', 'clear'],
    ['Jose', 'clear'],
    ['Jane Roe', 'clear'],
    ['', 'clear'],
  ])('%s: %s', (name, match) => {
    expect(list.match(name)).toBe(match);
  });

  test('is a verdict of its own; without a name a person has to look', async () => {
    const screen = sanctionsScreen(list);
    const says = async (given: Partial<RiskRequest>) => screen.assess(request(given));
    expect(await says({ buyerName: 'Jose Doe' })).toEqual({
      ...{ verdict: 'rejected', rules: ['sanctions:match'] },
    });
    expect((await says({ buyerName: 'Ivan Sidorov' })).verdict).toBe('review');
    expect((await says({ buyerName: 'Jane Roe' })).verdict).toBe('accepted');
    expect(await says({})).toEqual({ verdict: 'review', rules: ['sanctions:no-name'] });
    expect((await says({ buyerName: ' . ' })).verdict).toBe('review');
  });
});

describe('a provider over HTTP', () => {
  const servers: (() => void)[] = [];
  afterEach(() => {
    for (const close of servers.splice(0)) close();
  });

  async function screenOf(listener: RequestListener, onFailure: 'open' | 'closed' = 'closed') {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(() => server.close().closeAllConnections());
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/assess`;
    return externalScreen({ name: 'ext', url, key: 'secret', answerMsMax: 300, onFailure });
  }

  test('is asked with amounts as text, and its rules carry its name', async () => {
    let [body, authorization] = ['', ''];
    const screen = await screenOf(async (incoming, response) => {
      for await (const chunk of incoming) body += chunk;
      authorization = incoming.headers.authorization ?? '';
      response.end('{"verdict":"review","rules":["ip:proxy"],"score":7}');
    });
    expect(await screen.assess(request())).toEqual({ verdict: 'review', rules: ['ext:ip:proxy'] });
    expect(JSON.parse(body)).toMatchObject({
      ...{ amount: { amount: '1000', currency: 'USD' }, buyer: 'ann' },
    });
    expect(authorization).toBe('Bearer secret');
  });

  const failures: [string, RequestListener, string][] = [
    ['says nothing', () => undefined, 'no-answer'],
    ['hangs up', (incoming) => incoming.socket.destroy(), 'no-answer'],
    ['sends us elsewhere', (_, to) => to.writeHead(302, { location: '/x' }).end(), 'no-answer'],
    ['has a fault', (_, response) => response.writeHead(500).end(), 'error-answer'],
    ['says no JSON', (_, response) => response.end('<html>'), 'bad-answer'],
    ['says another verdict', (_, response) => response.end('{"verdict":"fine"}'), 'bad-answer'],
    [
      'says a rule that is a text',
      (_, to) => to.end('{"verdict":"review","rules":["<b>"]}'),
      'bad-answer',
    ],
    [
      'says too much',
      (_, to) =>
        to.end(`{"verdict":"accepted","x":"${'x'.repeat(externalLimits.answerBytesMax)}"}`),
      'bad-answer',
    ],
  ];
  test.each(failures)(
    'that %s: open lets pass, closed has a person look',
    async (_, listener, why) => {
      for (const [onFailure, verdict] of [
        ['open', 'accepted'],
        ['closed', 'review'],
      ] as const) {
        const screen = await screenOf(listener, onFailure);
        expect(await screen.assess(request())).toEqual({ verdict, rules: [`ext:${why}`] });
      }
    },
  );
});
