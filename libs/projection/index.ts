export { type CoveringAnswerMeans, coveringAnswer } from './covering-answer.ts';
export {
  type DeadLetter,
  deadLetterLimits,
  deadLetterTable,
  readDeadLetters,
} from './dead-letters.ts';
export { ElapsedTime } from './elapsed-time.ts';
export { UntouchedRowError } from './event-rows.ts';
export { Fold, type FoldGate, foldLimits, HandlerError } from './fold.ts';
export type { RefusalReason, Refused } from './generations/decide.ts';
export {
  type DirectoryOptions,
  type GenerationDirectory,
  generationDirectory,
} from './generations/directory.ts';
export {
  controlCategory,
  controlEventTypes,
  controlStream,
  type GenerationHalt,
  type Until,
  type Verification,
} from './generations/events.ts';
export { type OpenedGeneration, openGeneration } from './generations/make-generation.ts';
export {
  type Generation,
  isFollowed,
  liveGeneration,
  type ProjectionState,
  type Verdict,
  verdictOf,
} from './generations/state.ts';
export { mismatchText, type VersionMismatch } from './generations/version-mismatch.ts';
export { waitingText } from './generations/waiting-text.ts';
export { holdMsMax, isHolding } from './holds.ts';
export { contentIfItStays, type JudgedShare, judgeBatch } from './judge-batch.ts';
export { KeptRows } from './kept-rows.ts';
export { lowestCheckpoint } from './lowest-checkpoint.ts';
export {
  type MemoryDatabaseCopy,
  MemoryProjectionDatabase,
  MemoryProjectionStore,
  memoryProjectionStore,
  type StoreFault,
  type StoreFaults,
  type StoreOperation,
  StoreUnreachableError,
} from './memory-projection-store.ts';
export type { RowDifference, TableDigest } from './operations/compare.ts';
export {
  type DeadLetterOptions,
  type DeadLettersListed,
  type DeadLettersShown,
  type DeadLettersWorkedOff,
  discardDeadLetter,
  listDeadLetters,
  type RetryOptions,
  retryDeadLetters,
  type StreamDeadLetterOptions,
  showDeadLetters,
} from './operations/dead-letter-operations.ts';
export {
  type DropOptions,
  type DropOutcome,
  drop,
  type FlipOptions,
  type FlipOutcome,
  type PromoteOptions,
  promote,
  rollback,
} from './operations/flip.ts';
export { divergedGenerations, type Operation } from './operations/operation.ts';
export { type PlanOptions, planRebuild, type RebuildPlan } from './operations/plan-rebuild.ts';
export { type PurgeOptions, type PurgeOutcome, purge } from './operations/purge.ts';
export {
  type RebuildOptions,
  type RebuildOutcome,
  type RebuildProgress,
  rebuild,
} from './operations/rebuild.ts';
export type { RebuildRequest } from './operations/rebuild-request.ts';
export {
  type Behind,
  type GenerationReport,
  type ProjectionReport,
  projectionStatus,
  type StatusOptions,
} from './operations/status.ts';
export {
  type NotCompared,
  type ScratchStore,
  type VerifyOptions,
  type VerifyOutcome,
  type VerifyReport,
  verify,
} from './operations/verify.ts';
export { PolledLine } from './polled-line.ts';
export {
  type Addend,
  type AnyRecordedEvent,
  type Cell,
  type ColumnType,
  defineProjection,
  type FailurePolicy,
  type Handler,
  type Projection,
  type ProjectionDefinition,
  type Row,
  type RowAddress,
  type Rows,
  type Split,
  type Table,
} from './projection.ts';
export { divergence, LogTail, tailAt } from './projector/log-tail.ts';
export {
  type GenerationStatus,
  type Projector,
  type ProjectorOptions,
  runProjector,
} from './projector/run-projector.ts';
export type { Observation, Observe, ShareState, ShareStatus } from './projector/share-status.ts';
export { type Halt, projectorLimits } from './projector/share-work.ts';
export { reactorEventTypes, reactorStream } from './reactors/events.ts';
export type { EffectCall, LookedUp, Performed, Reactor } from './reactors/reactor.ts';
export { type ReactorEnded, type RunReactorOptions, runReactor } from './reactors/run-reactor.ts';
export {
  type Acquired,
  type Batch,
  type CommitResult,
  type GenerationSnapshot,
  type GenerationSpec,
  type GenerationStore,
  type HeldLease,
  type Lease,
  type ProjectionStore,
  type RowChange,
  type RowKey,
  type ShareProgress,
  StoreLostError,
} from './store.ts';
export { addedRow, asAddend, exactSum } from './summed-row.ts';
export { type Waiter, WaitingLine } from './waiting-line.ts';
