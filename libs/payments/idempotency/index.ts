export type { InFlight } from './decide.ts';
export { idempotencyCategory, idempotencyEvents, idempotencyStream } from './events.ts';
export { idempotencyLimits } from './limits.ts';
export {
  type IdempotencyMeans,
  IdempotencyStore,
  type KeptAnswer,
  type KeyedRequest,
  type Once,
  type Ran,
  type RequestIdentity,
} from './store.ts';
