import type { WireBroker } from './brokers.ts';
import { WireWriter } from './wire-bytes.ts';

const metadataKey = 3;
/** The first version of the request that tells ids: Kafka 2.8. */
const idVersion = 10;
const noId = '0'.repeat(32);

/**
 * The id that the cluster has given to a topic: another one under the same name has another id. 32 hex digits; undefined
 * from a broker that is too old to tell. Throws when the topic is not there.
 */
export async function topicIdOf(broker: WireBroker, topic: string): Promise<string | undefined> {
  if (broker.newest(metadataKey) < idVersion) return undefined;
  const { error, id } = await broker.send({
    ...{ apiKey: metadataKey, apiVersion: idVersion, apiName: 'Metadata', flexible: true },
    body: new WireWriter()
      .compactArray(1)
      .uuid(noId)
      .compactString(topic)
      .noTags()
      // No topic is made by this, and nobody asks who may do what.
      .int8(0)
      .int8(0)
      .int8(0)
      .noTags(),
    read: (answer) => {
      answer.int32();
      answer.array(answer.varint() - 1, () => {
        answer.int32();
        answer.compactString();
        answer.int32();
        answer.compactString();
        answer.skipTags();
      });
      answer.compactString();
      answer.int32();
      const topics = answer.varint() - 1;
      const errorCode = topics > 0 ? answer.int16() : unknownTopic;
      if (topics > 0) answer.compactString();
      return { error: errorCode, id: topics > 0 ? answer.uuid() : noId };
    },
  });
  if (error !== 0) throw new Error(`Kafka does not tell the id of ${topic}: error ${error}`);
  return id === noId ? undefined : id;
}

const unknownTopic = 3;
