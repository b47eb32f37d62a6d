export type RedisStoreErrorCode =
  | 'unreachable'
  | 'closed'
  | 'refused'
  | 'evicts'
  | 'foreign-keys'
  | 'out-of-memory'
  | 'busy'
  | 'io';

/** Broken I/O, or a server that must not be used; `code` is stable, `message` says what to do. */
export class RedisStoreError extends Error {
  readonly code: RedisStoreErrorCode;
  constructor(code: RedisStoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RedisStoreError';
    this.code = code;
  }
}

const advice: { readonly [code in RedisStoreErrorCode]: string } = {
  unreachable: 'Redis does not answer: nothing is known of the last command',
  closed: 'the store is closed',
  refused: 'Redis refuses us: check user, password and permissions',
  evicts: 'Redis may drop keys when its memory is full: set maxmemory-policy noeviction',
  'foreign-keys': 'there are keys of somebody else under our prefix: choose another prefix',
  'out-of-memory': 'Redis has no memory left: raise maxmemory or drop old generations',
  busy: 'Redis is busy',
  io: 'Redis failed',
};

const byReply: readonly (readonly [RegExp, RedisStoreErrorCode])[] = [
  [/^(?:NOAUTH|WRONGPASS|NOPERM|ERR invalid password|ERR AUTH)/, 'refused'],
  [/^OOM/, 'out-of-memory'],
  [/^WRONGTYPE/, 'foreign-keys'],
  [/^(?:BUSY|TRYAGAIN)/, 'busy'],
  [/^(?:CLUSTERDOWN|MASTERDOWN|LOADING|READONLY|NOREPLICAS)/, 'unreachable'],
];

const unreachableNames = new Set(['MaxRetriesPerRequestError', 'ClusterAllFailedError']);
const unreachableMessage = /Command timed out|Connection is closed|ECONN|ETIMEDOUT|ENOTFOUND|EPIPE/;

export function storeError(code: RedisStoreErrorCode, detail: string, cause?: unknown) {
  return new RedisStoreError(code, `${advice[code]} (${detail})`, { cause });
}

/** What Redis answered or the client threw, as a RedisStoreError; what is no I/O unchanged. */
export function redisError(error: unknown, place: string): unknown {
  if (!(error instanceof Error) || error instanceof RedisStoreError) return error;
  const code = codeOf(error);
  return code ? storeError(code, `${place}: ${error.message}`, error) : error;
}

function codeOf(error: Error): RedisStoreErrorCode | undefined {
  const script = /^(?:ERR )?(?:user_script:\d+: )?-?([A-Z]+ .*)/.exec(error.message)?.[1];
  for (const [pattern, code] of byReply) {
    if (pattern.test(error.message) || (script && pattern.test(script))) return code;
  }
  if (unreachableNames.has(error.name) || unreachableMessage.test(error.message)) {
    return 'unreachable';
  }
  if (error.name === 'ReplyError') return 'io';
  return undefined;
}
