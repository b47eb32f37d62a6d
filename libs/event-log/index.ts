export {
  appendBytes,
  type Checked,
  checkAppend,
  envelopeBytes,
  judgeAppend,
  type KnownEvent,
  type Refused,
  type StreamView,
  storedMetadata,
  timeMax,
  type Verdict,
} from './append-rules.ts';
export * from './checkpoint.ts';
export { ChangedEventError, changedMessage, isContentChanged } from './content.ts';
export {
  type CopyOptions,
  type CopyProgress,
  type CopyRefusal,
  type CopyResult,
  copyLog,
} from './copy-log.ts';
export {
  type DomainEvent,
  type Encoded,
  EventDecodeError,
  type EventDecodeErrorCode,
  type EventType,
  EventTypes,
  eventType,
  type RecordedEvent,
} from './event-types.ts';
export { type ExportOptions, type ExportProgress, exportLog } from './export-log.ts';
export { matches } from './filter.ts';
export {
  type ImportOptions,
  type ImportProgress,
  type ImportRefusal,
  type ImportRefused,
  type ImportResult,
  importLog,
} from './import-log.ts';
export { limits } from './limits.ts';
export { eventHash, hashLog, LogHash, type PortableEvent } from './log-hash.ts';
export {
  type AppendFault,
  type MemoryEventLog,
  type MemoryLogFaults,
  type MemoryLogOptions,
  memoryEventLog,
} from './memory-event-log.ts';
export { MemoryStorage } from './memory-storage.ts';
export { pageLimit } from './page-limit.ts';
export { isPassing } from './passing-refusal.ts';
export * from './port.ts';
export { categoryOf, streamNameProblem } from './stream-name.ts';
export {
  type Look,
  type LookAfter,
  subscription,
  type Wanted,
  type WantedPage,
} from './subscription.ts';
export type { Manifest } from './transfer-format.ts';
