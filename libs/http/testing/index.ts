export type { Example } from './bad-requests.ts';
export type { RunningApi } from './checks.ts';
export { describeErrorDocs } from './error-docs.ts';
export { describeEveryRoute, type EveryRouteOptions } from './every-route.ts';
