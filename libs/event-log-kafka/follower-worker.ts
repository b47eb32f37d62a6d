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
  const { connection, topicName } = task;
  const thread = new FollowerThread({
    task,
    formats: given,
    timers: systemTimers,
    feed: (options) => {
      const bounds = { requestMsMax: kafkaLimits.connectMsMax, retries: 8 };
      const client = kafkaClient(connection, bounds, options.onReport);
      return new TopicFeed({ ...options, client, topic: topicName });
    },
    say: (message) => {
      port.postMessage(message);
      if (message.kind === 'failed' || message.kind === 'closed') port.close();
    },
  });
  port.on('message', (request: FollowerRequest) => thread.ask(request));
  thread.start();
}
