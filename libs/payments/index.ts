export type { AmountSteps } from './amount-steps.ts';
export type { Changed, Loaded, NotStored } from './change.ts';
export type { CheckoutChanged } from './change-checkout.ts';
export type { SellerChanged } from './change-seller.ts';
export type { At } from './command-time.ts';
export * from './decide/after-capture.ts';
export * from './decide/attempts.ts';
export * from './decide/captures.ts';
export * from './decide/checkout.ts';
export * from './decide/evidence.ts';
export * from './decide/seller.ts';
export * from './events.ts';
export {
  type HistoryLine,
  type HistoryMeans,
  historyOf,
  sentenceOf,
} from './history-in-words.ts';
export * from './journal.ts';
export type { OpenedCheckout, RegisteredSeller } from './known-streams.ts';
export { ledgerCsvHeader, ledgerCsvLines, majorUnits } from './ledger-csv.ts';
export * from './money.ts';
export type { OpenCommand } from './open-checkout.ts';
export {
  type Attempt,
  type Dispute,
  type DoubtfulCall,
  lastAttempt,
  type OrderFold,
  type OrderTerms,
  type Refund,
  type RefusedCall,
  refundable,
} from './order-state.ts';
export * from './outcome.ts';
export { holdsPan } from './pan.ts';
export type { PayoutCommand, PayoutReleaseMeans } from './pay-out.ts';
export { isPayoutDay, nextPayoutDay, scheduledPayoutId } from './payout-schedule.ts';
export { ledgerProjection } from './projections/ledger.ts';
export { paymentsProjection } from './projections/payments.ts';
export { walletsProjection } from './projections/wallets.ts';
export * from './psp/port.ts';
export * from './read-model/ledger.ts';
export { BooksUnderWayError, cassandraLedgerReadModel } from './read-model/ledger-cassandra.ts';
export { sqliteLedgerReadModel } from './read-model/ledger-sqlite.ts';
export type { Answer, Followed, LiveGeneration } from './read-model/live.ts';
export type { LiveCassandraGeneration } from './read-model/live-cassandra.ts';
export * from './read-model/payments.ts';
export { cassandraPaymentsReadModel } from './read-model/payments-cassandra.ts';
export * from './read-model/wallets.ts';
export { cassandraWalletsReadModel } from './read-model/wallets-cassandra.ts';
export { sellerTermsSchema } from './seller-events.ts';
export * from './seller-state.ts';
export * from './service.ts';
export * from './state.ts';
export * from './streams.ts';
export * from './transitions.ts';
