import { type ISocketFactory, Kafka, logLevel, type SASLOptions } from 'kafkajs';
import { mendConnection } from './mend-connection.ts';
import { mendRequestQueue } from './mend-request-queue.ts';

/** How to reach the cluster. Plain data: it crosses to the follower's thread. */
export interface KafkaConnection {
  /** `host:port` of some of the brokers. */
  readonly brokers: readonly string[];
  readonly ssl?: boolean;
  readonly sasl?: SASLOptions;
  readonly clientId?: string;
}

/** What the client reports, for the log of the process that uses it. */
export interface ClientReport {
  readonly level: 'error' | 'warn' | 'info';
  readonly message: string;
  readonly fields: { readonly [field: string]: unknown };
}

export type OnReport = (report: ClientReport) => void;

/** A client that logs through `onReport`, and whose every attempt is bounded. */
export function kafkaClient(
  connection: KafkaConnection,
  bounds: { readonly requestMsMax: number; readonly retries: number },
  onReport: OnReport,
  socketFactory?: ISocketFactory,
): Kafka {
  mendRequestQueue();
  mendConnection();
  const { brokers, ssl, sasl, clientId = 'annals' } = connection;
  return new Kafka({
    brokers: [...brokers],
    clientId,
    ...(ssl === undefined ? {} : { ssl }),
    // The client writes a function into what it is given, which would not cross to a thread any more.
    ...(sasl === undefined ? {} : { sasl: { ...sasl } }),
    ...(socketFactory === undefined ? {} : { socketFactory }),
    connectionTimeout: bounds.requestMsMax,
    requestTimeout: bounds.requestMsMax,
    retry: { retries: bounds.retries, initialRetryTime: 50, maxRetryTime: 1_000 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => {
      const { message, timestamp: _, logger: __, ...fields } = entry.log;
      const isKnown = harmless.some((known) => message.startsWith(known));
      const level = isKnown ? 'info' : levelOf(entry.level);
      onReport({ level, message: `${entry.namespace}: ${message}${reasonIn(fields)}`, fields });
    },
  });
}

/** What kafkajs warns of that is as we want it. */
const harmless = [
  // Retries are bounded so that an outcome is in doubt in bounded time; then the producer is replaced.
  'Limiting retries for the idempotent producer',
  // An answer that came after its request was given up: what became of it is found out in another way.
  'Response without match',
];

/** Many messages say only what was tried. */
function reasonIn({ error }: { readonly error?: unknown }): string {
  const text = error instanceof Error ? error.message : error;
  return typeof text === 'string' && text !== '' ? `: ${text}` : '';
}

function levelOf(level: logLevel): ClientReport['level'] {
  if (level === logLevel.ERROR) return 'error';
  return level === logLevel.WARN ? 'warn' : 'info';
}
