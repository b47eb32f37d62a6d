export { describeBooks } from '../testing/describe-books.ts';
export { describeDeliveryLog } from '../testing/describe-delivery-log.ts';
export { describePaymentLists } from '../testing/describe-payment-lists.ts';
export { describeNightReads } from '../testing/describe-reconciliation-reads.ts';
export { fedGeneration, fedStore, feed } from '../testing/fed-store.ts';
export { PaymentsWalk, paymentsHistory, sampleCurrencies, sampleSellers } from './history.ts';
export { sampleDeliveries, sampleEndpoints, webhooksHistory } from './webhooks-history.ts';
