import { EventLogError } from '@annals/event-log/port';
import { noKafka } from './mend-connection.ts';

/** What kafkajs throws where a broker has answered, and said that we may not. */
const refusals =
  /^(?:KafkaJSSASLAuthenticationError|ILLEGAL_SASL_STATE|SASL_AUTHENTICATION_FAILED|UNSUPPORTED_SASL_MECHANISM|(?:TOPIC|CLUSTER|GROUP|TRANSACTIONAL_ID)_AUTHORIZATION_FAILED)$/;
const unreachables =
  /^KafkaJS(?:ConnectionError|ConnectionClosedError|RequestTimeoutError|BrokerNotFound|NumberOfRetriesExceeded)$/;

/** What went wrong while brokers were asked: `refused`, `unreachable`, or `io` for what is neither. */
export function connectionFault(error: unknown, brokers: readonly string[]): EventLogError {
  if (error instanceof EventLogError) return error;
  const names = namesOf(error);
  const said = saidOf(error, names);
  const isAway = names.some((name) => unreachables.test(name)) || said === noAnswer;
  const code = isRefusal(error) ? 'refused' : isAway ? 'unreachable' : 'io';
  return new EventLogError(code, `Kafka at ${brokers.join(', ')}: ${said}`, { cause: error });
}

const noAnswer = 'it takes connections and gives no answer: is it a Kafka?';

function saidOf(error: unknown, names: readonly string[]): string {
  if (names.includes('ILLEGAL_SASL_STATE')) {
    return 'it asks for no user and password: leave them out of the URL, or name its SASL listener';
  }
  // The client's words for a broker that has not said in time which requests it takes.
  const reason = reasonOf(error);
  return reason === 'Broker not connected'
    ? noAnswer
    : reason.replace(`Connection error: ${noKafka}`, noKafka);
}

/** Whether a broker has answered, and does not let us. */
export function isRefusal(error: unknown): boolean {
  return namesOf(error).some((name) => refusals.test(name));
}

/** Of several errors kafkajs says only that there were some. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message, errors = [] } = error as Error & { readonly errors?: readonly Error[] };
  return [message, ...new Set(errors.map((one) => one.message))].join(': ');
}

function namesOf(error: unknown): readonly string[] {
  return [...errorsWithin(error)].flatMap(({ name, type }) => (type ? [name, type] : [name]));
}

/** An error of the client; `type` is what a broker has answered, by its name in the protocol. */
interface ClientError extends Error {
  readonly type?: string;
}

/** The client wraps what it has given up on: the error itself, and then each that is within. */
export function* errorsWithin(error: unknown): Generator<ClientError> {
  let inner = error;
  for (let depth = 0; inner instanceof Error && depth < 8; depth += 1) {
    const one: ClientError = inner;
    yield one;
    inner = one.cause;
  }
}
