export { fedStore } from '../testing/fed-store.ts';
export { PaymentsWalk, paymentsHistory, sampleCurrencies, sampleSellers } from './history.ts';
export { sampleDeliveries, sampleEndpoints, webhooksHistory } from './webhooks-history.ts';
