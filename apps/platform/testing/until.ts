import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';

/** Asks again and again until the answer is not undefined; throws after `msMax`. */
export async function until<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  msMax = 60_000,
): Promise<T> {
  const deadline = Date.now() + msMax;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`);
    await delay(20);
  }
}

/** A busy machine takes requests before its read models are there: reads are 503 until then, and 200 after. */
export async function untilRead(
  url: string,
  headers: { readonly authorization: string },
): Promise<void> {
  await until('an answer', async () => {
    const { status } = await fetch(url, { headers });
    if (status !== 503) expect(status).toBe(200);
    return status === 200 || undefined;
  });
}
