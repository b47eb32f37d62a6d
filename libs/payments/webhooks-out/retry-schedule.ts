import { webhookLimits } from './limits.ts';

/**
 * When a delivery that failed is tried again; undefined where it has waited long enough. Later and later, and spread from
 * half of each wait to the whole, so that what failed together does not come again together.
 */
export function retryAt(
  {
    failures,
    waitsSince,
    now,
  }: { readonly failures: number; readonly waitsSince: number; readonly now: number },
  random: () => number,
  limits: Pick<
    { readonly [Name in keyof typeof webhookLimits]: number },
    'retryAfterMs' | 'retryAfterMsMax' | 'giveUpAfterMs'
  > = webhookLimits,
): number | undefined {
  const wait = Math.min(limits.retryAfterMs * 2 ** (failures - 1), limits.retryAfterMsMax);
  const at = now + Math.ceil((wait * (1 + random())) / 2);
  return at - waitsSince > limits.giveUpAfterMs ? undefined : at;
}
