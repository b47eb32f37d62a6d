import { type Authenticator, createServer, type HttpServer } from '@annals/http';
import { type PaymentsApiMeans, paymentsErrors, paymentsRoutes } from '../index.ts';

/** The API alone, over any log, read models and idempotency keys. */
export function paymentsServer(
  means: PaymentsApiMeans,
  authenticator: Authenticator,
): Promise<HttpServer> {
  return createServer({
    api: { title: 'Payments', version: '1.0.0' },
    routes: paymentsRoutes(means),
    errors: [paymentsErrors],
    authenticator,
  });
}
