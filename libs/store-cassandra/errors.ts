export type CassandraStoreErrorCode =
  | 'unreachable'
  | 'refused'
  | 'closed'
  | 'overloaded'
  | 'unknown-outcome'
  | 'contended'
  | 'schema'
  | 'newer-format'
  | 'another-site'
  | 'snapshot-ended'
  | 'bad-url'
  | 'io';

/** Broken I/O or a server that cannot be used; `code` is stable, `message` says what to do. */
export class CassandraStoreError extends Error {
  readonly code: CassandraStoreErrorCode;
  constructor(code: CassandraStoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CassandraStoreError';
    this.code = code;
  }
}

const advice: { readonly [code in CassandraStoreErrorCode]: string } = {
  unreachable: 'too few nodes of Cassandra answer: check the contact points and the data center',
  refused: 'Cassandra refuses us: check user, password and permissions',
  closed: 'the store is closed',
  overloaded: 'too many requests wait for Cassandra',
  'unknown-outcome': 'Cassandra did not say whether it took effect: send it again',
  contended: 'others kept changing the same row',
  schema: 'the nodes of Cassandra do not agree on the schema',
  'newer-format': 'a newer version of this program made it: update this one',
  'another-site': 'another site keeps its read models in our keyspace: choose another keyspace',
  'snapshot-ended': 'the snapshot was open for too long: take a new one',
  'bad-url': 'cassandra://[user:password@]host:port,…/keyspace?datacenter=…',
  io: 'Cassandra failed',
};

export function storeError(
  code: CassandraStoreErrorCode,
  detail: string,
  cause?: unknown,
): CassandraStoreError {
  return new CassandraStoreError(code, `${advice[code]} (${detail})`, { cause });
}

/** Error codes of the native protocol (https://cassandra.apache.org/doc/latest/cassandra/reference/native-protocol.html). */
const protocolCodes = {
  badCredentials: 0x01_00,
  unavailable: 0x10_00,
  overloaded: 0x10_01,
  bootstrapping: 0x10_02,
  writeTimeout: 0x11_00,
  readTimeout: 0x12_00,
  readFailure: 0x13_00,
  writeFailure: 0x15_00,
  casUnknown: 0x17_00,
  unauthorized: 0x21_00,
} as const;

const byCode: ReadonlyMap<number, CassandraStoreErrorCode> = new Map([
  [protocolCodes.badCredentials, 'refused'],
  [protocolCodes.unauthorized, 'refused'],
  [protocolCodes.unavailable, 'unreachable'],
  [protocolCodes.bootstrapping, 'unreachable'],
  [protocolCodes.overloaded, 'unreachable'],
  [protocolCodes.writeTimeout, 'unknown-outcome'],
  [protocolCodes.writeFailure, 'unknown-outcome'],
  [protocolCodes.casUnknown, 'unknown-outcome'],
  [protocolCodes.readTimeout, 'unreachable'],
  [protocolCodes.readFailure, 'unreachable'],
]);

/** What the driver threw, as a CassandraStoreError; what is no I/O unchanged. */
export function cassandraError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof CassandraStoreError) return error;
  const code = codeOf(error);
  // The driver shows an inner error as a program would print it, over many lines.
  return code ? storeError(code, error.message.replace(/\n.*/s, ''), error) : error;
}

function codeOf(error: Error): CassandraStoreErrorCode | undefined {
  if (error.name === 'AuthenticationError') return 'refused';
  if (error.name === 'OperationTimedOutError') return 'unknown-outcome';
  // The connection broke while the answer was waited for.
  if ('isSocketError' in error && error.isSocketError) return 'unknown-outcome';
  if (error.name === 'NoHostAvailableError')
    return refusedInside(error) ? 'refused' : 'unreachable';
  if (error.name === 'BusyConnectionError') return 'unreachable';
  // Tables are made while others read: a node that has not heard of one yet fails so, and knows it in a moment.
  if (error.name === 'ResponseError' && /Unknown CF /.test(error.message)) return 'unreachable';
  if (error.name === 'ResponseError' && 'code' in error) {
    return byCode.get(Number(error.code)) ?? 'io';
  }
  if ('code' in error && /^E[A-Z]+$/.test(String(error.code))) return 'unreachable';
  return undefined;
}

/** The driver tries each node, and tells what each of them said. */
function refusedInside(error: Error): boolean {
  if (!('innerErrors' in error) || typeof error.innerErrors !== 'object') return false;
  const inner = Object.values(error.innerErrors ?? {}) as { readonly name?: string }[];
  return inner.some((one) => one?.name === 'AuthenticationError');
}

/** Whether a statement that changes nothing when it is repeated may be sent again after this. */
export function mayPass(error: unknown): boolean {
  return (
    error instanceof CassandraStoreError &&
    (error.code === 'unreachable' || error.code === 'unknown-outcome')
  );
}
