import { randomUUID } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { kafkaEventLog, snapshotReplica } from '@annals/event-log-kafka';
import { appendAll, ScoreFeed } from '../data/score-feed.ts';
import { withTemporaryFolder } from '../data/temporary-folder.ts';
import { alternate, type BenchCase, type Comparison, ratePerSecond } from '../harness.ts';
import { RawKafka, startKafka } from '../peers/kafka.ts';

const partitions = 4;
const players = 100_000;
const callers = 2_000;
const eventsMany = 10_000_000;

interface Topic {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly events: number;
}

export const kafkaCatchUp: BenchCase = {
  name: 'kafka-catch-up',
  summary: 'a new process reads a whole topic, beside raw kafkajs consume',
  run: async ({ scale: { million, longRounds }, tell }) => {
    const kafka = await startKafka(tell);
    const work = 'catch-up of a new process on Kafka';
    if (kafka.kind === 'missing') {
      return [{ work, peer: 'raw kafkajs consume', reach: '≥ 0.4', remark: kafka.reason }];
    }
    return withTemporaryFolder(async (folder) => {
      const events = million / 4;
      const place = { brokers: kafka.brokers, topic: `bench-${randomUUID()}`, events };
      const first = join(folder, 'first');
      await fill(place, first);
      tell(`the topic holds ${events} records`);
      const rate = await compareCatchUp(place, folder, longRounds);
      const perEvent = Math.round((await bytesUnder(first)) / events);
      const full: Comparison = {
        work: `${work}, ${events.toLocaleString('en-US')} events`,
        ours: { value: rate.ours, unit: 'events/s' },
        peer: 'raw kafkajs consume of the same topic',
        theirs: { value: rate.theirs, unit: 'records/s' },
        ratio: rate.ratio,
        reach: '≥ 0.4',
        met: rate.ratio >= 0.4,
        remark: `from the first records on, ${partitions} partitions; the replica has ${perEvent} bytes an event`,
      };
      return [full, await startFromSnapshot(place, folder, first)];
    });
  },
};

async function fill({ brokers, topic, events }: Topic, folder: string): Promise<void> {
  const log = await kafkaEventLog({ connection: { brokers }, topic, folder, partitions });
  const scores = await new ScoreFeed({ players }).take(events);
  await ratePerSecond(
    Number.POSITIVE_INFINITY,
    scores,
    ({ stream, event }) => appendAll(log, stream, [event]),
    callers,
  );
  await log.close();
}

async function compareCatchUp({ brokers, topic, events }: Topic, folder: string, rounds: number) {
  const raw = new RawKafka(brokers, topic);
  return alternate(
    rounds,
    async () => {
      const began = performance.now();
      let first: { readonly at: number; readonly records: number } | undefined;
      const log = await kafkaEventLog({
        ...{ connection: { brokers }, topic, create: false },
        folder: join(folder, randomUUID()),
        onProgress: ({ records }) => {
          if (records > 0) first ??= { at: performance.now(), records };
        },
      });
      const ended = performance.now();
      await log.close();
      // Of a short topic the first fetch brings everything.
      const from = first && first.records < events ? first : { at: began, records: 0 };
      return ((events - from.records) * 1_000) / (ended - from.at);
    },
    () => raw.consume(topic, events),
  );
}

/** How long a process takes that begins with the replica of another one. */
async function startFromSnapshot(
  { brokers, topic, events }: Topic,
  folder: string,
  from: string,
): Promise<Comparison> {
  const to = join(folder, 'snapshot');
  const began = performance.now();
  await snapshotReplica(from, to);
  const copiedMs = performance.now() - began;
  const opening = performance.now();
  const log = await kafkaEventLog({ connection: { brokers }, topic, create: false, folder: to });
  const openedMs = performance.now() - opening;
  await log.close();
  const many = (copiedMs / events) * eventsMany;
  return {
    work: `start from a snapshot of ${events.toLocaleString('en-US')} events`,
    ours: { value: openedMs, unit: 'ms' },
    peer: '',
    reach: 'stated',
    remark:
      `the copy took ${Math.round(copiedMs)} ms more, which grows with the log (10 M events: ` +
      `${Math.round(many / 1_000)} s, extrapolated); the start does not`,
  };
}

async function bytesUnder(folder: string): Promise<number> {
  const files = await readdir(folder, { withFileTypes: true, recursive: true });
  const sizes = await Promise.all(
    files
      .filter((file) => file.isFile())
      .map((file) => stat(join(file.parentPath, file.name)).then(({ size }) => size)),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
