import type { Route } from '@annals/http';
import { denyListRoutes } from './deny-list-routes.ts';
import { financeRoutes } from './finance-routes.ts';
import { historyRoutes } from './history-routes.ts';
import { ledgerRoutes } from './ledger-routes.ts';
import { listRoutes } from './list-routes.ts';
import type { PaymentsApiMeans } from './means.ts';
import { orderRoutes } from './order-routes.ts';
import { paymentPageRoutes } from './payment-page-routes.ts';
import { paymentRoutes } from './payment-routes.ts';
import { payoutRoutes } from './payout-routes.ts';
import { pspWebhookRoutes } from './psp-webhook-routes.ts';
import { reconciliationRoutes } from './reconciliation-routes.ts';
import { reportRoutes } from './report-routes.ts';
import { sellerRoutes } from './seller-routes.ts';
import { webhookEndpointRoutes } from './webhook-endpoint-routes.ts';

export type Routes = readonly Route[];

/** All routes of the payments API: one file for each part, one line for each file. */
export function paymentsRoutes(means: PaymentsApiMeans): Routes {
  const { denyLists, finance, pagePsp, pspWebhooks, webhooks } = means;
  return [
    ...paymentRoutes(means),
    ...(pagePsp ? paymentPageRoutes(means, pagePsp) : []),
    ...orderRoutes(means),
    ...listRoutes(means),
    ...sellerRoutes(means),
    ...payoutRoutes(means),
    ...ledgerRoutes(means),
    ...reportRoutes(means),
    ...historyRoutes(means),
    ...reconciliationRoutes(means),
    ...(pspWebhooks ? pspWebhookRoutes(pspWebhooks) : []),
    ...(denyLists ? denyListRoutes(means, denyLists) : []),
    ...(finance ? financeRoutes(means, finance) : []),
    ...(webhooks ? webhookEndpointRoutes(means, webhooks) : []),
  ];
}
