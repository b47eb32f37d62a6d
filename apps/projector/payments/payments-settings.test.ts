import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configFrom, systemClock } from '@annals/core';
import { stripeTerms } from '@annals/payments/psp';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  checkPaymentsSettings,
  paymentsFields,
  paymentsSettingsOf,
  shownPsps,
} from './payments-settings.ts';
import { pspRouting } from './psp-routing.ts';
import { placedSettings } from './sandbox-address.ts';

const schema = z.object(paymentsFields).superRefine(checkPaymentsSettings);
const folder = mkdtempSync(join(tmpdir(), 'annals-psp-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(content: unknown): string {
  const path = join(folder, 'settings.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

function read(env: { readonly [name: string]: string }) {
  const configured = configFrom(schema, env);
  if (configured.kind === 'invalid') return configured.problems.join('; ');
  return paymentsSettingsOf(configured.value);
}

function readWell(env: { readonly [name: string]: string }) {
  const settings = read(env);
  if (settings === undefined || typeof settings === 'string') throw new Error(String(settings));
  return settings;
}

const provider = {
  url: 'https://psp.example',
  key: 'sk_live_123456',
  webhook_secrets: ['whsec_first'],
};
const twoProviders = {
  providers: [
    { ...provider, name: 'first' },
    { name: 'second', url: 'sandbox' },
  ],
  rules: [
    { psp: 'second', currencies: ['EUR'], amount_max: '5000' },
    { psp: 'first', sellers: ['shop'] },
    { psp: 'first', currencies: ['USD'] },
  ],
};

const keyless = [{ name: 'first', url: 'https://a.example' }, twoProviders.providers[1]];

describe('the settings of payments', () => {
  it('are the sandbox where nothing is set', () => {
    expect(read({})).toMatchObject({
      psps: [{ name: 'sandbox', url: 'sandbox', key: 'sk_test_sandbox' }],
      rules: [{ psp: 'sandbox' }],
      reserveDays: 90,
    });
    expect(placedSettings(readWell({}), undefined)).toBeUndefined();
    const placed = placedSettings(readWell({}), 'http://127.0.0.1:8090');
    expect(placed?.psps[0]?.url).toBe('http://127.0.0.1:8090');
  });

  it('off is off', () => {
    expect(read({ ANNALS_PSP_URL: 'off' })).toBeUndefined();
  });

  it('a provider needs its key and a webhook secret: those of the sandbox are known to everybody', () => {
    const ANNALS_PSP_URL = 'https://api.stripe.com';
    expect(read({ ANNALS_PSP_URL })).toBe(
      'ANNALS_PSP_KEY: must be set where ANNALS_PSP_URL is a provider; ' +
        'ANNALS_PSP_WEBHOOK_SECRET: must be set where ANNALS_PSP_URL is a provider',
    );
    const secrets = {
      ANNALS_PSP_KEY: 'sk_live_1',
      ANNALS_PSP_WEBHOOK_SECRET: 'whsec_new, whsec_old',
    };
    const settings = readWell({ ANNALS_PSP_URL, ...secrets });
    expect(settings.psps).toEqual([
      {
        ...{ name: 'stripe', url: ANNALS_PSP_URL, key: 'sk_live_1' },
        webhookSecrets: ['whsec_new', 'whsec_old'],
      },
    ]);
    const shown = JSON.stringify(shownPsps(settings));
    expect(shown).toContain('https://api.stripe.com');
    expect(shown).not.toMatch(/sk_live|whsec/);
  });

  it.each([
    [{ ANNALS_PSP_URL: 'ftp://x' }, 'must be an http or https URL, sandbox or off'],
    [{ ANNALS_RESERVE_DAYS: '-1' }, 'must be a whole number of days'],
    [{ ANNALS_PSP_WEBHOOK_SECRET: 'short' }, 'ANNALS_PSP_WEBHOOK_SECRET'],
    [{ ANNALS_PSP_FILE: '/nowhere/psp.json' }, '/nowhere/psp.json: cannot be read'],
  ])('refuses %j', (env, message) => {
    expect(read(env)).toContain(message);
  });

  it.each([
    ['{ "key": sk_live_1', 'is no JSON'],
    [{ ...twoProviders, rules: [{ psp: 'third' }] }, 'rules.0.psp: there is no provider third'],
    [{ ...twoProviders, providers: keyless }, 'needs a key'],
    [{ ...twoProviders, rules: [{ psp: 'first', currencies: ['usd'] }] }, 'ISO 4217'],
    [{ ...twoProviders, more: 1 }, 'more'],
  ])('refuses the file %j, and says nothing of what is in it', (content, message) => {
    const problem = read({ ANNALS_PSP_FILE: fileOf(content) });
    expect(problem).toContain(message);
    expect(problem).not.toMatch(/sk_live/);
  });

  it('of several providers choose by rules', () => {
    const settings = readWell({ ANNALS_PSP_FILE: fileOf(twoProviders) });
    const placed = placedSettings(settings, 'http://127.0.0.1:8090');
    if (!placed) throw new Error('not placed');
    const routing = pspRouting(placed, systemClock);
    const chosen = (amount: bigint, currency: string, seller = 'other') => {
      const choice = routing.choose({ amount: { amount, currency }, seller });
      return choice.kind === 'chosen' ? choice.psp.name : choice.kind;
    };
    expect(chosen(5_000n, 'EUR')).toBe('second');
    expect(chosen(5_001n, 'EUR')).toBe('no_route');
    expect(chosen(5_001n, 'EUR', 'shop')).toBe('first');
    expect(chosen(1n, 'USD')).toBe('first');
    expect(read({ ANNALS_PSP_FILE: fileOf(twoProviders), ANNALS_PSP_URL: 'sandbox' })).toContain(
      'is instead of ANNALS_PSP_URL',
    );
  });

  it("of a provider's promises keep those of Stripe where nothing is told", () => {
    const [first, second] = twoProviders.providers;
    const promised = { call_ms_max: 5_000, search_lag_ms: 2_000 };
    const file = { ...twoProviders, providers: [{ ...first, terms: promised }, second] };
    const settings = readWell({ ANNALS_PSP_FILE: fileOf(file) });
    const terms = { ...stripeTerms, callMsMax: 5_000 };
    expect(settings.psps[0]).toMatchObject({ terms, searchLagMs: 2_000 });
    const placed = placedSettings(settings, 'http://127.0.0.1:8090') ?? settings;
    const routing = pspRouting(placed, systemClock);
    expect(routing.psp('first')?.terms).toEqual(terms);
    expect(routing.psp('second')?.terms).toEqual(stripeTerms);
    for (const wrong of [{ call_ms_max: 0 }, { in_flight_ms_max: 1.5 }, { call_ms: 5 }]) {
      const providers = [{ ...first, terms: wrong }, second];
      const problem = read({ ANNALS_PSP_FILE: fileOf({ ...twoProviders, providers }) });
      expect(problem).toContain('providers.0.terms');
    }
  });

  it('of risk are read from their file', () => {
    const rules = {
      amounts: [{ currency: 'USD', review_from: '100000' }],
      velocity: [{ by: 'buyer', window_minutes: 60, orders_max: 5, verdict: 'review' }],
      card: { answer_ms_max: 1_000, on_failure: 'open' },
      external: [
        {
          ...{ name: 'guard', url: 'https://risk.example', key: 'key-of-risk' },
          ...{ answer_ms_max: 500, on_failure: 'closed' },
        },
      ],
    };
    expect(readWell({ ANNALS_RISK_FILE: fileOf(rules) }).risk).toEqual({
      amounts: [{ currency: 'USD', reviewFrom: 100_000n }],
      velocity: [{ by: 'buyer', windowMs: 3_600_000, ordersMax: 5, verdict: 'review' }],
      card: { answerMsMax: 1_000, onFailure: 'open' },
      external: [
        {
          ...{ name: 'guard', url: 'https://risk.example', key: 'key-of-risk' },
          ...{ answerMsMax: 500, onFailure: 'closed' },
        },
      ],
    });
  });
});
