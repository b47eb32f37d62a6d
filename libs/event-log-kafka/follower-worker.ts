import { randomBytes } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import type { FollowerRequest, FollowerTask } from './follower-protocol.ts';
import { FollowerThread } from './follower-thread.ts';
import { kafkaClient } from './kafka-connection.ts';
import { kafkaLimits } from './kafka-limits.ts';
import { type RecordFormats, recordFormats } from './record-formats.ts';
import { systemTimers } from './timers.ts';
import { TopicFeed } from './topic-feed.ts';

if (parentPort) {
  const port = parentPort;
  const task = workerData as FollowerTask;
  const given = task.formatsModule
    ? ((await import(task.formatsModule)) as { recordFormats: RecordFormats }).recordFormats
    : recordFormats;
  const { connection, topicName, instance } = task;
  const thread = new FollowerThread({
    task,
    formats: given,
    timers: systemTimers,
    feed: (options) => {
      const bounds = { requestMsMax: kafkaLimits.connectMsMax, retries: 8 };
      const client = kafkaClient(connection, bounds, options.onReport);
      // A group of its own: kafkajs reads by groups only, and no two processes share the work.
      // A thread that ended without leaving its group would be waited for by the next one.
      const groupId = `annals.${topicName}.${instance}.${randomBytes(4).toString('hex')}`;
      return new TopicFeed({ ...options, client, topic: topicName, groupId });
    },
    say: (message) => {
      port.postMessage(message);
      if (message.kind === 'failed' || message.kind === 'closed') port.close();
    },
  });
  port.on('message', (request: FollowerRequest) => thread.ask(request));
  thread.start();
}
