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
export { limits } from './limits.ts';
export * from './port.ts';
export { categoryOf, streamNameProblem } from './stream-name.ts';
