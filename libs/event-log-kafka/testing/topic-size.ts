import { kafkaClient } from '../kafka-connection.ts';

/** How many records a topic has; 0 while it is not there. */
export async function topicSize(brokers: readonly string[], topic: string): Promise<number> {
  const bounds = { requestMsMax: 10_000, retries: 3 };
  const admin = kafkaClient({ brokers }, bounds, () => undefined).admin();
  await admin.connect();
  try {
    const there = await admin.listTopics();
    if (!there.includes(topic)) return 0;
    const offsets = await admin.fetchTopicOffsets(topic).catch(() => []);
    return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  } finally {
    await admin.disconnect();
  }
}
