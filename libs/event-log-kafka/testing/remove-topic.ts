import { kafkaClient } from '../kafka-connection.ts';

/** Removes the topic if it was made. */
export async function removeTopic(brokers: readonly string[], topic: string): Promise<void> {
  const bounds = { requestMsMax: 10_000, retries: 3 };
  const admin = kafkaClient({ brokers }, bounds, () => undefined).admin();
  await admin.connect();
  try {
    const there = await admin.listTopics();
    if (there.includes(topic)) await admin.deleteTopics({ topics: [topic] });
  } finally {
    await admin.disconnect();
  }
}
