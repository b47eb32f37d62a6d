import { parse } from 'qs';
import { z } from 'zod';
import { randomLetters } from '../core/books.ts';
import { openDispute } from '../core/disputes.ts';
import { faultSchema, faultsMax } from '../core/faults.ts';
import { failPayout } from '../core/payouts.ts';
import type { ApiAnswer, ApiRequest, Sandbox } from '../core/sandbox.ts';
import { answerChallenge, challengePage } from './challenge.ts';
import { checkoutPage, takeCardForSession } from './checkout-page.ts';
import { type Page, pageHeaders, pageHtml } from './page.ts';
import { paymentForm, paymentPage, paymentQuery, takeCard } from './payment-page.ts';
import { tokensPage } from './tokens.ts';

/** What is the sandbox's own, under `/sandbox`: pages for buyers, and operators' requests, which need the key. */

/** The answer to a path of the site; undefined when the path is none of it. */
export function siteAnswer(sandbox: Sandbox, request: ApiRequest): ApiAnswer | undefined {
  const { method, path } = request;
  if (method === 'GET' && (path === '/' || path === '/sandbox/tokens')) return shown(tokensPage());
  if (path === '/sandbox/pay') return pay(sandbox, request);
  const challenged = /^\/sandbox\/3ds\/(\w{1,255})$/.exec(path)?.[1];
  if (challenged) return challenge(sandbox, request, challenged);
  const session = /^\/sandbox\/checkout\/(\w{1,255})$/.exec(path)?.[1];
  if (session) return checkout(sandbox, request, session);
  if (path === '/sandbox/health') return json(200, { status: 'ok' });
  if (!path.startsWith('/sandbox/')) return undefined;
  if (!sandbox.knows(request.headers.authorization)) {
    return json(401, { error: 'the secret key is missing or wrong' });
  }
  return operate(sandbox, request);
}

function pay(sandbox: Sandbox, { method, query, body }: ApiRequest): ApiAnswer {
  const asked = paymentQuery.safeParse(parse(query, { depth: 0 }));
  if (!asked.success) {
    const content = '<p>The shop has to say where you go back to (<code>return_url</code>).</p>';
    return shown({ status: 400, title: 'Payment', content });
  }
  if (method !== 'POST') return shown(paymentPage(asked.data));
  const form = paymentForm.safeParse(parse(body, { depth: 0 }));
  if (!form.success) return shown(paymentPage(asked.data, 'The card is not complete.'));
  return led(takeCard(sandbox, asked.data, form.data, sandbox.now()));
}

function checkout(sandbox: Sandbox, { method, body }: ApiRequest, id: string): ApiAnswer {
  if (method !== 'POST') return led(checkoutPage(sandbox, id));
  const form = paymentForm.safeParse(parse(body, { depth: 0 }));
  return led(takeCardForSession(sandbox, id, form.data));
}

function challenge(sandbox: Sandbox, { method, body }: ApiRequest, id: string): ApiAnswer {
  if (method !== 'POST') return shown(challengePage(sandbox, id));
  const form = z
    .object({ outcome: z.enum(['succeeded', 'failed']) })
    .safeParse(parse(body, { depth: 0 }));
  if (!form.success) return shown(challengePage(sandbox, id));
  return led(answerChallenge(sandbox, id, form.data.outcome));
}

const disputing = z.strictObject({
  reason: z.string().max(100).default('fraudulent'),
  /** What is left unless told; it may be more. */
  amount: z.int().positive().max(99_999_999).optional(),
});
const failing = z.strictObject({ code: z.string().max(100).default('could_not_process') });

function operate(sandbox: Sandbox, request: ApiRequest): ApiAnswer {
  const { method, path } = request;
  if (path === '/sandbox/faults') return operateFaults(sandbox, request);
  const [, disputed] = /^\/sandbox\/charges\/(\w+)\/dispute$/.exec(path) ?? [];
  if (method === 'POST' && disputed) {
    const given = disputing.safeParse(parsedJson(request.body));
    if (!given.success) return json(400, { error: z.prettifyError(given.error) });
    const dispute = sandbox.transact((books) => openDispute(books, disputed, given.data));
    return dispute ? json(200, dispute) : json(409, { error: 'nothing to dispute' });
  }
  const [, failed] = /^\/sandbox\/payouts\/(\w+)\/fail$/.exec(path) ?? [];
  if (method === 'POST' && failed && sandbox.storage.get('payout', failed)) {
    const given = failing.safeParse(parsedJson(request.body));
    if (!given.success) return json(400, { error: z.prettifyError(given.error) });
    sandbox.transact((books) => failPayout(books, failed, given.data.code));
    return json(200, sandbox.storage.get('payout', failed) ?? {});
  }
  return json(404, { error: 'there is nothing here' });
}

function operateFaults(sandbox: Sandbox, { method, body }: ApiRequest): ApiAnswer {
  if (method === 'GET') return json(200, { faults: sandbox.faults.list() });
  if (method === 'DELETE') {
    sandbox.transact(() => sandbox.faults.clear());
    return json(200, { faults: [] });
  }
  const given = faultSchema.safeParse(parsedJson(body));
  if (!given.success) return json(400, { error: z.prettifyError(given.error) });
  if (sandbox.faults.list().length >= faultsMax) return json(409, { error: 'too many faults' });
  const id = `fault_${randomLetters(() => sandbox.random(), 12)}`;
  return json(
    200,
    sandbox.transact(() => sandbox.faults.add(id, given.data)),
  );
}

/** `undefined` for what is no JSON: no schema takes it. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text || '{}');
  } catch {
    return undefined;
  }
}

export function json(status: number, body: object): ApiAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

function shown(page: Page): ApiAnswer {
  return { status: page.status, headers: pageHeaders, body: pageHtml(page) };
}

function led(outcome: ReturnType<typeof takeCard>): ApiAnswer {
  if (outcome.kind === 'page') return shown(outcome.page);
  return { status: 303, headers: { location: outcome.to, 'cache-control': 'no-store' }, body: '' };
}
