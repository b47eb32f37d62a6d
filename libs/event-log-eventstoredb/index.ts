export {
  type EventStoreDBEventLog,
  type EventStoreDBEventLogOptions,
  type EventStoreDBStatus,
  eventstoredbEventLog,
} from './eventstoredb-event-log.ts';
export { eventstoredbLimits } from './eventstoredb-limits.ts';
export { FollowError, type FollowProblem } from './follow-error.ts';
export type { Report } from './followed-index.ts';
