export {
  type FinanceAsks,
  financeCategory,
  financeEvents,
  type ManualEntry,
  manualEntrySchema,
} from './events.ts';
export { financeLimits } from './limits.ts';
export { type PayoutLimits, parsePayoutLimits } from './payout-limits.ts';
export {
  type PayoutReleasesOptions,
  payoutReleases,
  payoutReleasesName,
} from './release-reactor.ts';
export {
  type CorrectedEntry,
  Finance,
  type FinanceChanged,
  type FinanceMeans,
  type FinancePlace,
  type HeldPayout,
  releaseRequestId,
  scheduleRequester,
  type WrongMember,
} from './service.ts';
export {
  type FinanceRequest,
  type FinanceState,
  financeMoves,
  financeStates,
} from './state.ts';
