import { checkoutSessionRoutes } from './checkout-sessions.ts';
import { disputeRoutes } from './disputes.ts';
import { eventRoutes } from './events.ts';
import { fileRoutes } from './files.ts';
import { paymentIntentRoutes } from './payment-intents.ts';
import { paymentMethodRoutes } from './payment-methods.ts';
import { payoutRoutes } from './payouts.ts';
import { refundRoutes } from './refunds.ts';
import { reportRoutes } from './reports.ts';
import type { Route } from './route.ts';
import { setupIntentRoutes } from './setup-intents.ts';

/** Every operation of Stripe's API that the sandbox has. */
export const routes: readonly Route[] = [
  ...paymentIntentRoutes,
  ...setupIntentRoutes,
  ...checkoutSessionRoutes,
  ...paymentMethodRoutes,
  ...refundRoutes,
  ...payoutRoutes,
  ...disputeRoutes,
  ...fileRoutes,
  ...eventRoutes,
  ...reportRoutes,
];

export interface Matched {
  readonly route: Route;
  readonly id: string;
}

const compiled = routes.map((route) => ({
  route,
  pattern: new RegExp(`^${route.path.replace(':id', '([^/]{1,255})')}$`),
}));

/** A path with words of its own (`/search`) comes before the one with an id, in the order of the table. */
export function matchRoute(method: string, path: string): Matched | undefined {
  for (const { route, pattern } of compiled) {
    const match = route.method === method ? pattern.exec(path) : null;
    if (match) return { route, id: decoded(match[1] ?? '') };
  }
  return undefined;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
