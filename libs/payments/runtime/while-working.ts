import type { Clock } from '@annals/core';

const lookMs = 250;

/** Does a work that goes on until it is stopped, whenever this process is the one to do it; stopped by the signal. */
export async function whileWorking(
  {
    clock,
    signal,
    isWorking,
  }: { readonly clock: Clock; readonly signal: AbortSignal; readonly isWorking: () => boolean },
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    if (!isWorking()) {
      await clock.sleep(lookMs, signal);
      continue;
    }
    const over = new AbortController();
    const ended = work(AbortSignal.any([signal, over.signal])).finally(() => over.abort());
    while (isWorking() && !signal.aborted && !over.signal.aborted) {
      await clock.sleep(lookMs, AbortSignal.any([signal, over.signal]));
    }
    over.abort();
    await ended;
    // Work that ends by itself is begun again, but not at once.
    await clock.sleep(lookMs, signal);
  }
}
