export { deadLetterCategory, deadLetterEvents } from './dead-letter-events.ts';
export {
  type DeadCall,
  type DeadLetterMeans,
  listDeadCalls,
  retryDeadCall,
} from './dead-letters.ts';
export {
  advanceLimits,
  type PaymentsAdvanceOptions,
  paymentsAdvance,
  paymentsAdvanceName,
} from './payments-advance.ts';
export {
  type PaymentsExecutorOptions,
  paymentsExecutor,
  paymentsExecutorName,
} from './payments-executor.ts';
export { type PaymentsObserverOptions, paymentsObserver } from './payments-observer.ts';
export { type PaymentsRiskOptions, paymentsRisk, paymentsRiskName } from './payments-risk.ts';
export {
  executorLimits,
  OutcomeUnknownError,
  type PspExecutorOptions,
  pspExecutor,
} from './psp-executor.ts';
export {
  followHint,
  type Hinted,
  HintFilter,
  hintLimits,
  type Observed,
  type ObserverMeans,
  type Swept,
  sweep,
  type Waiting,
} from './psp-hints.ts';
export type {
  CallContext,
  DeadLetterReason,
  PspCallName,
  PspIntent,
  PspObject,
  PspOutcome,
  Try,
} from './psp-intent.ts';
export { parseReference, type Reference, referenceOf } from './references.ts';
export {
  type Applied,
  NotAppendedError,
  type PaymentsFolds,
  paymentsFolds,
} from './stream-folds.ts';
