export { problemBody } from './answer.ts';
export {
  type Authentication,
  type Authenticator,
  bearerToken,
  type Caller,
  insufficientScope,
  type RejectionReason,
  unauthorized,
} from './auth.ts';
export { httpErrors, logErrors, logProblem, unavailable } from './errors.ts';
export { errorsSection, replaceSection } from './errors-document.ts';
export {
  type EventStream,
  type EventStreamOptions,
  eventStream,
  formatEvent,
  lastEventId,
  type StreamEnd,
  type StreamEvent,
} from './event-stream.ts';
export { identifier, integerParameter, lineOfText, timestamp } from './fields.ts';
export { fileMediaTypes, limits } from './limits.ts';
export type { LogLevel, LogOptions } from './log.ts';
export type { ApiDescription } from './openapi.ts';
export { operationsScope, type Readiness, type ReadinessCheck } from './operations.ts';
export {
  defineErrors,
  type ErrorRow,
  type ErrorRows,
  type Errors,
  type ErrorTable,
  type FieldProblem,
  Problem,
  type ProblemExtras,
} from './problem.ts';
export type { RateLimits } from './rate-limit.ts';
export { type Method, type ResponseSchemas, type Route, route } from './route.ts';
export { createServer, type HttpServer, type ServerOptions } from './server.ts';
export { type Closing, type SignalSource, stopOnSignals } from './stop.ts';
export { fieldsProblem } from './validation.ts';
