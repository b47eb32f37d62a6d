import { setTimeout as delay } from 'node:timers/promises';

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
