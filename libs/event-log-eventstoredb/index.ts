export {
  type EventStoreDBEventLog,
  type EventStoreDBEventLogOptions,
  eventstoredbEventLog,
  type Report,
} from './eventstoredb-event-log.ts';
export { eventstoredbLimits } from './eventstoredb-limits.ts';
export { FollowError, type FollowProblem } from './follow-error.ts';
