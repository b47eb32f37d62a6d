import type { Compression, KafkaConnection } from '@annals/event-log-kafka';
import { kafkaConnectionTo, type LogPlace, maskedUrl, parseLogUrl } from '@annals/projector';
import { CommandError, exitCodes } from './exit-codes.ts';

/** Where a relay writes to. */
export interface RelayTarget {
  readonly connection: KafkaConnection;
  readonly topic: string;
  readonly compression: Compression;
}

const brokersPattern = /^[^\s:,/]+:\d{1,5}(?:,[^\s:,/]+:\d{1,5})*$/;
const withTopic = /^kafka:\/\/[^/?]+\/[^?]/;

/**
 * `brokers`: `host:port` of some, with commas, or a URL as that of a log, which may name the topic. Throws CommandError without
 * a password in it: so it is not for the parser of options, which shows what it was given.
 */
export function relayTarget(brokers: string, toTopic: string | undefined): RelayTarget {
  if (brokersPattern.test(brokers)) {
    return {
      connection: { brokers: brokers.split(',') },
      topic: named(toTopic),
      compression: 'none',
    };
  }
  if (!brokers.startsWith('kafka://')) {
    throw wrong(
      '--brokers is host:port, with commas between, or kafka://[user:password@]host:port',
    );
  }
  const place = parseLogUrl(brokers);
  if (place.kind === 'bad-url') throw wrong(`--brokers ${maskedUrl(brokers)} ${place.problem}`);
  if (place.kind !== 'kafka') throw wrong('--brokers is no URL of Kafka');
  const ofLogs = settingsOfLogs(place);
  if (ofLogs.length > 0) {
    throw wrong(
      `--brokers has ${ofLogs.join(', ')}, which only a log has; a relay has tls, sasl, compression`,
    );
  }
  if (withTopic.test(brokers) && toTopic !== undefined && toTopic !== place.topic) {
    throw wrong(`--to-topic is ${toTopic}, and --brokers names ${place.topic}`);
  }
  const topic = withTopic.test(brokers) ? place.topic : named(toTopic);
  return { connection: kafkaConnectionTo(place), topic, compression: place.compression ?? 'none' };
}

function settingsOfLogs(place: Extract<LogPlace, { kind: 'kafka' }>): string[] {
  const settings = {
    partitions: place.partitions,
    replicas: place.replicationFactor,
    'min-in-sync': place.minInSyncReplicas,
    bodies: place.bodies,
    served: place.served,
    reads: place.reads,
    format: place.format,
  };
  return Object.entries(settings).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}

function named(topic: string | undefined): string {
  if (topic !== undefined) return topic;
  throw wrong('--to-topic names the topic, unless the URL behind --brokers does');
}

function wrong(message: string): CommandError {
  return new CommandError(exitCodes.usage, 'relay-target', message);
}
