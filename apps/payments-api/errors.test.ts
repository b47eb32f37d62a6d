import { describeErrorDocs } from '@annals/http/testing';
import { describe, expect, it } from 'vitest';
import { isKept, paymentsErrors, problemOf } from './errors.ts';

describeErrorDocs(paymentsErrors, new URL('../../docs/errors.md', import.meta.url));

describe('the problem of a refusal', () => {
  it('has the code, the status and the reason', () => {
    const problem = problemOf({ kind: 'refused', reason: 'not-captured', detail: 'it is open' });
    expect(problem).toMatchObject({ code: 'not-captured', status: 409 });
    expect(problem.message).toBe('Refused: it is open.');
  });

  it('says when to ask again where it passes by itself', () => {
    const reason = 'in-progress';
    expect(problemOf({ kind: 'refused', reason, detail: '' }).headers['retry-after']).toBe('1');
    const lost = problemOf({ kind: 'refused', reason: 'wallet-lost', detail: '' });
    expect(lost).toMatchObject({ code: 'read-model-lost', status: 503 });
    expect(lost.message).toContain('npx annals rebuild wallets');
  });

  it('is a bug where the table does not have it', () => {
    const made = () => problemOf({ kind: 'refused', reason: 'no-such-reason', detail: '' });
    expect(made).toThrow(TypeError);
  });

  it('is kept for its key where it decides how things stood, and only there', () => {
    const kept = (code: Parameters<typeof paymentsErrors.problem>[0]) =>
      isKept(paymentsErrors.problem(code, { what: '' }));
    expect(kept('above-refundable')).toBe(true);
    for (const code of ['unknown-order', 'in-progress', 'wallet-behind'] as const) {
      expect(kept(code)).toBe(false);
    }
  });
});
