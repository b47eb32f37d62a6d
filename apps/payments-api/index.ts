export { paymentsErrors, repairCommand } from './errors.ts';
export type { PaymentsApiMeans } from './means.ts';
export type { PspWebhookMeans } from './psp-webhook-routes.ts';
export { paymentsRoutes, type Routes } from './routes.ts';
export { scopes } from './scopes.ts';
