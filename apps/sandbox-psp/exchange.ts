import type { ApiAnswer, ApiRequest, Sandbox } from './core/sandbox.ts';
import { siteAnswer } from './pages/site.ts';

/** What the other side sees of one request: an answer, or a connection that is closed. */
export type Exchanged =
  | { readonly kind: 'answer'; readonly answer: ApiAnswer }
  | { readonly kind: 'cut' };

const gatewayError: Exchanged = {
  kind: 'answer',
  answer: {
    status: 502,
    headers: { 'content-type': 'text/html' },
    body: '<html><body>502 Bad Gateway</body></html>',
  },
};

/** One request from its first byte to its last, with everything that was asked to go wrong. */
export async function exchange(
  sandbox: Sandbox,
  request: ApiRequest,
  sleep: (ms: number) => Promise<void>,
): Promise<Exchanged> {
  const site = siteAnswer(sandbox, request);
  if (site) return { kind: 'answer', answer: site };
  const begun = sandbox.begin(request);
  if (begun.kind === 'answered') return { kind: 'answer', answer: begun.answer };
  const { call } = begun;
  const { delayBeforeMs, delayAfterMs, cut, gatewayError: gateway } = call.strikes;
  try {
    if (delayBeforeMs > 0) await sleep(delayBeforeMs);
    if (cut === 'before') return { kind: 'cut' };
    if (gateway === 'before') return gatewayError;
    const answer = sandbox.execute(call);
    if (delayAfterMs > 0) await sleep(delayAfterMs);
    if (cut === 'after') return { kind: 'cut' };
    return gateway === 'after' ? gatewayError : { kind: 'answer', answer };
  } finally {
    sandbox.end(call);
  }
}
