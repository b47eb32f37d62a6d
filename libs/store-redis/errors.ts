export type RedisStoreErrorCode =
  | 'unreachable'
  | 'closed'
  | 'refused'
  | 'evicts'
  | 'foreign-keys'
  | 'another-site'
  | 'is-cluster'
  | 'no-cluster'
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
  unreachable: 'Redis does not answer',
  closed: 'the store is closed',
  refused: 'Redis refuses us: check user, password, permissions and the number of the database',
  evicts: 'Redis may drop keys when its memory is full: set maxmemory-policy noeviction',
  'foreign-keys': 'there are keys of somebody else under our prefix: choose another prefix',
  'another-site': 'another site keeps its read models under our prefix: choose another prefix',
  'is-cluster':
    'Redis is a node of a cluster: name it redis-cluster:// (rediss-cluster:// for TLS)',
  'no-cluster': 'Redis is no cluster: name it redis:// (rediss:// for TLS)',
  'out-of-memory': 'Redis has no memory left: raise maxmemory or drop old generations',
  busy: 'Redis is busy',
  io: 'Redis failed',
};

const byReply: readonly (readonly [RegExp, RedisStoreErrorCode])[] = [
  [/^(?:NOAUTH|WRONGPASS|NOPERM|ERR invalid password|ERR AUTH|ERR DB index)/, 'refused'],
  [/^(?:MOVED|ASK) |^ERR SELECT is not allowed in cluster mode/, 'is-cluster'],
  [/^ERR This instance has cluster support disabled/, 'no-cluster'],
  [/^OOM/, 'out-of-memory'],
  [/^WRONGTYPE/, 'foreign-keys'],
  [/^(?:BUSY|TRYAGAIN)/, 'busy'],
  [/^(?:CLUSTERDOWN|MASTERDOWN|LOADING|READONLY|NOREPLICAS)/, 'unreachable'],
];

const unreachableNames = new Set(['MaxRetriesPerRequestError', 'ClusterAllFailedError']);
const unreachableMessage =
  /Command timed out|Connection is closed|None of startup nodes|slots cache|ECONN|ETIMEDOUT|ENOTFOUND|EPIPE/;

export function storeError(code: RedisStoreErrorCode, detail: string, cause?: unknown) {
  return new RedisStoreError(code, `${advice[code]} (${detail})`, { cause });
}

/**
 * What Redis answered or the client threw, as a RedisStoreError; what is no I/O unchanged. `reason`: why
 * there is no connection, where that is known.
 */
export function redisError(error: unknown, place: string, reason?: Error): unknown {
  if (!(error instanceof Error) || error instanceof RedisStoreError) return error;
  const code = codeOf(error);
  if (code !== 'unreachable') {
    return code ? storeError(code, `${place}: ${error.message}`, error) : error;
  }
  const why = saidByNode(error) ?? saidByNode(reason) ?? reason ?? error;
  const known = codeOf(why) ?? code;
  return storeError(known, `${place}: ${why.message || error.message}`, error);
}

/** What a node answered, where a cluster as a whole could not be reached. */
function saidByNode(error: Error | undefined): Error | undefined {
  return (error as { readonly lastNodeError?: Error } | undefined)?.lastNodeError;
}

function codeOf(error: Error): RedisStoreErrorCode | undefined {
  // An error of a command within a script comes with the script's name before it.
  const [, inner] =
    /^ERR (?:Error running script|user_script).*?: -?([A-Z]{3,} .*)/.exec(error.message) ?? [];
  for (const [pattern, code] of byReply) {
    if (pattern.test(error.message) || (inner !== undefined && pattern.test(inner))) return code;
  }
  if (unreachableNames.has(error.name) || unreachableMessage.test(error.message)) {
    return 'unreachable';
  }
  return error.name === 'ReplyError' ? 'io' : undefined;
}
