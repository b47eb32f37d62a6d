export {
  type EventStoreDBEventLog,
  type EventStoreDBEventLogOptions,
  eventstoredbEventLog,
} from './eventstoredb-event-log.ts';
export { eventstoredbLimits } from './eventstoredb-limits.ts';
export { FollowError, type FollowProblem } from './follow-error.ts';
export type { Report } from './followed-index.ts';
