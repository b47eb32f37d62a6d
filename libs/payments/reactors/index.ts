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
