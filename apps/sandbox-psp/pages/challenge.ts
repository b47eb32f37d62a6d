import type { NextAction } from '../core/objects.ts';
import { finishAuthentication } from '../core/payment-intents.ts';
import type { Sandbox } from '../core/sandbox.ts';
import { finishSetup } from '../core/setup-intents.ts';
import type { Page } from './page.ts';

/** The bank's 3-D Secure page: the holder of the card says that it is them, or not. */

interface Asked {
  readonly nextAction: NextAction;
  readonly clientSecret: string;
}

function askedOf(sandbox: Sandbox, id: string): Asked | undefined {
  const intent = id.startsWith('seti_')
    ? sandbox.storage.get('setup_intent', id)
    : sandbox.storage.get('payment_intent', id);
  if (!intent?.next_action) return undefined;
  return { nextAction: intent.next_action, clientSecret: intent.client_secret };
}

export function challengePage(sandbox: Sandbox, id: string): Page {
  if (!askedOf(sandbox, id)) return overPage;
  const content = `<p>Your bank asks: is it you who pays?</p>
<form method="post">
<button name="outcome" value="succeeded">Yes, it is me</button>
<button name="outcome" value="failed">No</button>
</form>`;
  return { status: 200, title: '3-D Secure', content };
}

const overPage: Page = {
  status: 404,
  title: '3-D Secure',
  content: '<p>Nobody is asked here (any more).</p>',
};

/** Takes the answer, and leads back to the shop as Stripe does. */
export function answerChallenge(
  sandbox: Sandbox,
  id: string,
  outcome: 'succeeded' | 'failed',
):
  | { readonly kind: 'redirect'; readonly to: string }
  | { readonly kind: 'page'; readonly page: Page } {
  const asked = askedOf(sandbox, id);
  if (!asked) return { kind: 'page', page: overPage };
  const setup = id.startsWith('seti_');
  const done = sandbox.transact((books) =>
    setup ? finishSetup(books, id, outcome) : finishAuthentication(books, id, outcome),
  );
  if (done === 'not-asked') return { kind: 'page', page: overPage };
  const to = new URL(asked.nextAction.redirect_to_url.return_url);
  const member = setup ? 'setup_intent' : 'payment_intent';
  to.searchParams.set(member, id);
  to.searchParams.set(`${member}_client_secret`, asked.clientSecret);
  to.searchParams.set('redirect_status', outcome);
  return { kind: 'redirect', to: to.href };
}
