export { PaymentsWalk, paymentsHistory, sampleCurrencies, sampleSellers } from './history.ts';
