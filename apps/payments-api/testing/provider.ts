import { type Clock, newId, type SubjectCipher, systemClock } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { PspRouting, stripePsp } from '@annals/payments/psp';
import {
  followHint,
  paymentsAdvance,
  paymentsExecutor,
  paymentsObserver,
} from '@annals/payments/reactors';
import { type Reactor, runReactor } from '@annals/projection';
import { Sandbox, Storage, sandboxFetch } from '@annals/sandbox-psp';

const key = 'sk_test_sandbox';
const secret = 'whsec_sandbox';
const url = 'http://psp.test';

export interface Provider {
  readonly done: Promise<void>;
  readonly routing: PspRouting;
  /** What the buyer's browser does at the provider's page. */
  answerAction(actionUrl: string, outcome: 'succeeded' | 'failed'): Promise<void>;
  /** The buyer types a card at the provider's page; where that leads back to. */
  payAtPage(query: { readonly return_url: string; readonly reference: string }): Promise<URL>;
  /** The buyer types a card at a page that the platform has asked for; where that leads to. */
  payAt(pageUrl: string, number?: string): Promise<URL>;
  /** The provider itself, to look into its books. */
  readonly sandbox: Sandbox;
  /** Money that the platform has at the provider for payouts. */
  topUp(amount: number, currency: string): Promise<void>;
}

export interface ProviderOptions {
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Whether anything runs at all. */
  readonly runs: boolean;
}

/** The sandbox in this process, with the reactors that call it and follow its webhooks. */
export function startProvider({ log, cipher, clock, signal, runs }: ProviderOptions): Provider {
  const sandbox = new Sandbox({
    ...{ storage: new Storage(':memory:'), now: () => clock.now(), random: Math.random, key },
    publicUrl: () => url,
    pace: {
      ...{ processingMs: 0, refundMs: 0, payoutInTransitMs: 0, payoutPaidMs: 0, disputeMs: 0 },
    },
  });
  sandbox.useEndpoint('http://platform.test/webhooks', secret);
  const fetch = sandboxFetch(sandbox, (ms) => systemClock.sleep(ms));
  const stripe = stripePsp({
    ...{ name: 'stripe', url, key, webhookSecrets: [secret], clock, fetch },
    returnUrl: 'http://shop.test/back',
  });
  const routing = new PspRouting({
    psps: [stripe],
    rules: [{ psp: 'stripe' }],
    breaker: { clock, callsMin: 1_000 },
  });
  const psp = (name: string) => routing.psp(name);
  const work = async () => {
    const observer = paymentsObserver({
      ...{ log, cipher, clock, psp },
      onContradiction: (_, why) => {
        throw new Error(why);
      },
    });
    while (!signal.aborted) {
      for (const delivery of sandbox.work()) {
        const { body, headers } = delivery;
        const signature = headers['stripe-signature'];
        const parsed = stripe.parseWebhook({
          ...{ body: Buffer.from(body), signature, receivedAt: clock.now() },
        });
        if (parsed.kind === 'hint') await followHint(observer, parsed.hint);
        sandbox.arrived(delivery);
      }
      await systemClock.sleep(5, signal);
    }
  };
  const react = async (reactor: Reactor) => {
    await runReactor({ log, cipher, clock, reactor, signal, runId: newId(), from: {} });
  };
  const running = runs
    ? [
        work(),
        react(paymentsExecutor({ log, cipher, clock, psp })),
        react(paymentsAdvance({ log, cipher, clock, routing })),
      ]
    : [];
  return {
    sandbox,
    done: Promise.all(running).then(() => undefined),
    routing,
    ...buyer(fetch),
    topUp: async (amount, currency) => {
      const headers = { authorization: `Bearer ${key}` };
      const body = `amount=${amount}&currency=${currency.toLowerCase()}`;
      await fetch(`${url}/v1/topups`, { method: 'POST', headers, body });
    },
  };
}

/** What the buyer's browser does at the provider's pages. */
function buyer(fetch: typeof globalThis.fetch) {
  return {
    answerAction: async (actionUrl: string, outcome: 'succeeded' | 'failed') => {
      await fetch(actionUrl, { method: 'POST', body: `outcome=${outcome}` });
    },
    payAtPage: async (query: { readonly return_url: string; readonly reference: string }) => {
      const page = `${url}/sandbox/pay?${new URLSearchParams(query)}`;
      const shown = await fetch(page);
      if (!shown.ok) throw new Error(await shown.text());
      const body = 'number=4242424242424242&expiry=12%2F49&cvc=123';
      const left = await fetch(page, { method: 'POST', body, redirect: 'manual' });
      return new URL(left.headers.get('location') ?? '');
    },
    payAt: async (pageUrl: string, number = '4242424242424242') => {
      const body = `number=${number}&expiry=12%2F49&cvc=123`;
      const left = await fetch(pageUrl, { method: 'POST', body, redirect: 'manual' });
      return new URL(left.headers.get('location') ?? '');
    },
  };
}
