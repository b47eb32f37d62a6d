export {
  appendBytes,
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
export { matches } from './filter.ts';
export { limits } from './limits.ts';
export {
  type AppendFault,
  type MemoryEventLog,
  type MemoryLogFaults,
  type MemoryLogOptions,
  memoryEventLog,
} from './memory-event-log.ts';
export { MemoryStorage } from './memory-storage.ts';
export { pageLimit } from './page-limit.ts';
export * from './port.ts';
export { categoryOf, streamNameProblem } from './stream-name.ts';
