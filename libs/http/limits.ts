/** What a route with `streamedBody` takes. */
export const fileMediaTypes = [
  'text/csv',
  'application/xml',
  'text/xml',
  'application/octet-stream',
] as const;

/** Limits of every server, so that no client can hold more than its share. Units are last in the name. */
export const limits = {
  /** Bytes of a request's body, where a route names no limit of its own. */
  bodyBytesMax: 65_536,
  /** Bytes of a request's line and headers: Node's own limit, kept as it is. */
  headerBytesMax: 16_384,
  /** Time a client may take to send a whole request. */
  requestMsMax: 30_000,
  /** Time an idle connection is kept open; longer than the idle time of common load balancers (60 s). */
  keepAliveMs: 72_000,
  /** Time a readiness check may take before it counts as failed. */
  readinessMsMax: 2_000,
  /** Time `stop()` waits for requests in flight before it cuts their connections. */
  stopMsMax: 10_000,
  /** Field problems listed in one answer. */
  fieldProblemsMax: 20,
  /** Characters of a client's text (a field's name, a value) repeated in an answer. */
  echoCharsMax: 100,
  /** Characters of an `X-Request-Id` that is taken over. */
  requestIdCharsMax: 128,
  /** Characters of a bearer token. */
  tokenCharsMax: 4_096,
  /** Requests of one API key in one window. */
  requestsPerKeyMax: 300_000,
  /** Requests without a valid key, of one address, in one window. */
  requestsPerAddressMax: 20_000,
  /** Time in which requests refused with one 5xx code share a line of the log. */
  refusalLogMs: 1_000,
  /** The window of the rate limit. */
  rateWindowMs: 10_000,
  /** Keys and addresses counted one by one in a window; what comes after them shares one count. */
  rateSubjectsMax: 100_000,
  /** Bytes that may wait for a client of an event stream; with more it is dropped. */
  streamBufferBytesMax: 262_144,
  /** Time between comments that keep an event stream open through proxies. */
  streamHeartbeatMs: 15_000,
  /** Time between looks whether the keys of open event streams are still good. */
  streamKeyCheckMs: 1_000,
  /** Event streams open at once in one server. */
  streamsMax: 10_000,
} as const;
