import { z } from 'zod';
import type { RiskAssessment, RiskRequest, RiskScreen } from './port.ts';

/** A risk provider over HTTP, in the place of screens of our own or beside them. */
export interface ExternalScreenOptions {
  /** What its rules are named after. */
  readonly name: string;
  readonly url: string;
  /** Sent as a bearer's token. */
  readonly key: string;
  readonly answerMsMax: number;
  /**
   * What an order is when the provider does not answer, or not in its own words: `open` lets it pass, `closed` puts
   * it under review. Screenings that the law asks for are closed.
   */
  readonly onFailure: 'open' | 'closed';
  readonly fetch?: typeof globalThis.fetch;
}

export const externalLimits = { answerBytesMax: 65_536, rulesMax: 50 } as const;

const answerSchema = z.object({
  verdict: z.enum(['accepted', 'review', 'rejected']),
  rules: z
    .array(z.string().regex(/^[\w.:-]{1,100}$/))
    .max(externalLimits.rulesMax)
    .default([]),
});

export function externalScreen(options: ExternalScreenOptions): RiskScreen {
  const { name, onFailure } = options;
  const failed = (why: string): RiskAssessment => ({
    verdict: onFailure === 'open' ? 'accepted' : 'review',
    rules: [`${name}:${why}`],
  });
  return {
    name,
    asksForCards: () => true,
    assess: async (request) => {
      const asked = await ask(options, request);
      if (asked.kind === 'failed') return failed(asked.why);
      const { verdict, rules } = asked.assessment;
      return { verdict, rules: rules.map((rule) => `${name}:${rule}`) };
    },
  };
}

type Asked =
  | { readonly kind: 'assessed'; readonly assessment: RiskAssessment }
  | { readonly kind: 'failed'; readonly why: 'no-answer' | 'error-answer' | 'bad-answer' };

async function ask(options: ExternalScreenOptions, request: RiskRequest): Promise<Asked> {
  const { url, key, answerMsMax, fetch = globalThis.fetch } = options;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: bodyOf(request),
      redirect: 'error',
      signal: AbortSignal.timeout(answerMsMax),
    });
    if (!response.ok) {
      await response.body?.cancel();
      return { kind: 'failed', why: 'error-answer' };
    }
    const text = await limitedText(response);
    const answer = text === undefined ? undefined : answerSchema.safeParse(parsed(text));
    if (!answer?.success) return { kind: 'failed', why: 'bad-answer' };
    return { kind: 'assessed', assessment: answer.data };
  } catch {
    // Nobody there, a connection that broke, or too late.
    return { kind: 'failed', why: 'no-answer' };
  }
}

function bodyOf({ amount, ...request }: RiskRequest): string {
  return JSON.stringify({
    ...request,
    amount: { amount: String(amount.amount), currency: amount.currency },
  });
}

/** Undefined when there is more than an answer has. */
async function limitedText(response: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > externalLimits.answerBytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
