import type { Clock } from '@annals/core';
import { PspRouting, stripePsp } from '@annals/payments/psp';
import type { PaymentsSettings } from './payments-settings.ts';

/** The providers of the settings, each behind a breaker of its own. Their places must be known by now. */
export function pspRouting({ psps, rules, returnUrl }: PaymentsSettings, clock: Clock): PspRouting {
  return new PspRouting({
    psps: psps.map((place) => stripePsp({ ...place, returnUrl, clock })),
    rules,
    breaker: { clock },
  });
}
