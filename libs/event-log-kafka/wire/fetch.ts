import type { WireBroker, WireRequest } from './brokers.ts';
import { type WireReader, WireWriter } from './wire-bytes.ts';

export interface FetchAsked {
  readonly topic: string;
  /** Asked for where it is known: a topic that was made anew then answers with an error. */
  readonly topicId: string | undefined;
  readonly partitions: readonly { readonly partition: number; readonly offset: number }[];
  /** How long the broker waits for the first new record. */
  readonly waitMsMax: number;
  readonly partitionBytesMax: number;
  readonly bytesMax: number;
}

export interface FetchedPartition {
  readonly partition: number;
  /** By Kafka's table of errors; 0 for none. */
  readonly error: number;
  /** The offset that its next record gets, as far as all replicas have it. */
  readonly end: number;
  /** Whole batches, and perhaps the beginning of one more. */
  readonly batches: Buffer;
}

/** By Kafka's table of errors: the offset that was asked for is not there. */
export const outOfRange = 1;

const fetchKey = 1;
/** By name, as every broker since Kafka 0.11 knows it; and by id, since 3.1. */
const nameVersion = 4;
const idVersion = 13;
/** An open transaction of somebody else would hold back all that was written behind it. */
const readUncommitted = 0;

/** Brings the next records of partitions that `broker` leads. */
export function fetchFrom(broker: WireBroker, asked: FetchAsked): Promise<FetchedPartition[]> {
  const { topicId } = asked;
  const byId = topicId !== undefined && broker.newest(fetchKey) >= idVersion;
  return broker.send(byId ? fetchById(asked, topicId) : fetchByName(asked));
}

function limits(body: WireWriter, { waitMsMax, bytesMax }: FetchAsked): WireWriter {
  return body.int32(-1).int32(waitMsMax).int32(1).int32(bytesMax).int8(readUncommitted);
}

function fetchByName(asked: FetchAsked): WireRequest<FetchedPartition[]> {
  const body = limits(new WireWriter(), asked).int32(1).string(asked.topic);
  body.int32(asked.partitions.length);
  for (const { partition, offset } of asked.partitions) {
    body.int32(partition).int64(offset).int32(asked.partitionBytesMax);
  }
  return {
    ...{ apiKey: fetchKey, apiVersion: nameVersion, apiName: 'Fetch', flexible: false, body },
    read: (answer) => {
      answer.int32();
      const topics = answer.array(answer.int32(), () => {
        answer.string();
        return answer.array(answer.int32(), () => {
          const head = partitionHead(answer);
          // Aborted transactions are told to those who ask for committed ones.
          answer.array(answer.int32(), () => answer.skip(16));
          return { ...head, batches: answer.blob(answer.int32()) };
        });
      });
      return topics.flat();
    },
  };
}

function fetchById(asked: FetchAsked, topicId: string): WireRequest<FetchedPartition[]> {
  const noSession = { id: 0, epoch: -1 };
  const body = limits(new WireWriter(), asked).int32(noSession.id).int32(noSession.epoch);
  body.compactArray(1).uuid(topicId).compactArray(asked.partitions.length);
  const unknown = -1;
  for (const { partition, offset } of asked.partitions) {
    // Of the leader's epoch, the last epoch fetched and the beginning of a replica's log a reader knows nothing.
    body.int32(partition).int32(unknown).int64(offset).int32(unknown).int64(unknown);
    body.int32(asked.partitionBytesMax).noTags();
  }
  // Nothing is forgotten of a session that is none, and no rack is preferred.
  body.noTags().compactArray(0).compactString('').noTags();
  return {
    ...{ apiKey: fetchKey, apiVersion: idVersion, apiName: 'Fetch', flexible: true, body },
    read: (answer) => {
      answer.int32();
      const error = answer.int16();
      if (error !== 0) throw new Error(`Kafka refuses to hand over records: error ${error}`);
      answer.int32();
      const topics = answer.array(answer.varint() - 1, () => {
        answer.uuid();
        const partitions = answer.array(answer.varint() - 1, () => partitionById(answer));
        answer.skipTags();
        return partitions;
      });
      return topics.flat();
    },
  };
}

function partitionById(answer: WireReader): FetchedPartition {
  const head = partitionHead(answer);
  // Where the log begins.
  answer.int64();
  // Aborted transactions are told to those who ask for committed ones.
  answer.array(answer.varint() - 1, () => {
    answer.skip(16);
    answer.skipTags();
  });
  // Another replica that could be read.
  answer.int32();
  const batches = answer.blob(answer.varint() - 1);
  answer.skipTags();
  return { ...head, batches };
}

function partitionHead(answer: WireReader): Pick<FetchedPartition, 'partition' | 'error' | 'end'> {
  const head = { partition: answer.int32(), error: answer.int16(), end: answer.int64() };
  // Up to where transactions are decided.
  answer.int64();
  return head;
}
