import type { Route } from '@annals/http';
import type { PaymentsApiMeans } from './means.ts';
import { paymentRoutes } from './payment-routes.ts';

export type Routes = readonly Route[];

/** All routes of the payments API: one file for each part, one line for each file. */
export function paymentsRoutes(means: PaymentsApiMeans): Routes {
  return [...paymentRoutes(means)];
}
