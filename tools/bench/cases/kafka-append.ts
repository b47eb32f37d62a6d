import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type KafkaEventLog, kafkaEventLog } from '@annals/event-log-kafka';
import type { Message } from 'kafkajs';
import { appendAll, type FedScore, ScoreFeed } from '../data/score-feed.ts';
import { withTemporaryFolder } from '../data/temporary-folder.ts';
import {
  alternate,
  type BenchCase,
  type Comparison,
  quantile,
  ratePerSecond,
  type Scale,
} from '../harness.ts';
import { RawKafka, startKafka } from '../peers/kafka.ts';

const callersMany = 64;
const partitions = 4;
const players = 100_000;
/** Records that the raw producer sends again and again. */
const sampled = 4_096;
/** More than any broker takes in a millisecond. */
const eventsPerMs = 40;
const works = [
  { callers: callersMany, reach: 0.5 },
  { callers: 1, reach: 0.5 },
] as const;

export const kafkaAppend: BenchCase = {
  name: 'kafka-append',
  summary: 'appends to Kafka, answered when read back, beside raw kafkajs produce',
  run: async ({ scale, tell }) => {
    const kafka = await startKafka(tell);
    if (kafka.kind === 'missing') {
      return [
        { work: 'append on Kafka', peer: 'raw kafkajs', reach: '≥ 0.5', remark: kafka.reason },
      ];
    }
    const { brokers } = kafka;
    return withTemporaryFolder(async (folder) => {
      const topic = `bench-${randomUUID()}`;
      const connection = { brokers };
      const log = await kafkaEventLog({ connection, topic, folder: join(folder, 'r'), partitions });
      const raw = new RawKafka(brokers, `${topic}-raw`);
      try {
        await raw.open(partitions);
        const feed = new ScoreFeed({ players });
        const records = await sampleRecords(log, raw, topic, feed);
        tell(`a record has ${Math.round(meanBytes(records))} bytes`);
        const rows: Comparison[] = [];
        for (const work of works) rows.push(await compare(log, raw, feed, records, scale, work));
        return rows;
      } finally {
        await Promise.all([log.close(), raw.close()]);
      }
    });
  },
};

/** Records as the log writes them: what it wrote is read back raw. */
async function sampleRecords(
  log: KafkaEventLog,
  raw: RawKafka,
  topic: string,
  feed: ScoreFeed,
): Promise<readonly Message[]> {
  const scores = await feed.take(sampled);
  await Promise.all(scores.map(({ stream, event }) => appendAll(log, stream, [event])));
  const records: Message[] = [];
  await raw.consume(topic, sampled, (record) => records.push(record));
  return records;
}

async function compare(
  log: KafkaEventLog,
  raw: RawKafka,
  feed: ScoreFeed,
  records: readonly Message[],
  { rounds, stretchMs }: Scale,
  { callers, reach }: (typeof works)[number],
): Promise<Comparison> {
  const waitsMs: number[] = [];
  const append = async ({ stream, event }: FedScore) => {
    const asked = performance.now();
    await appendAll(log, stream, [event]);
    waitsMs.push(performance.now() - asked);
  };
  const batches = batchesOf(records, callers);
  const measured = await alternate(
    rounds,
    async () => ratePerSecond(stretchMs, await feed.take(stretchMs * eventsPerMs), append, callers),
    async () => {
      const many = Array.from(
        { length: (stretchMs * eventsPerMs) / callers },
        (_, index) => batches[index % batches.length] as readonly Message[],
      );
      const batchesPerSecond = await ratePerSecond(stretchMs, many, (batch) => raw.send(batch));
      return batchesPerSecond * callers;
    },
  );
  const p = (q: number) => `${quantile(waitsMs, q).toFixed(1)} ms`;
  return {
    work: `append on Kafka, ${callers === 1 ? 'one caller' : `${callers} callers`}, answered when read back`,
    ours: { value: measured.ours, unit: 'events/s' },
    peer: `raw kafkajs produce of the same records, ${callers === 1 ? 'one by one' : `${callers} a request`}`,
    theirs: { value: measured.theirs, unit: 'records/s' },
    ratio: measured.ratio,
    reach: `≥ ${reach}`,
    met: measured.ratio >= reach,
    remark: `one broker, ${partitions} partitions; p50 ${p(0.5)}, p99 ${p(0.99)}`,
  };
}

function batchesOf(records: readonly Message[], size: number): readonly (readonly Message[])[] {
  return Array.from({ length: Math.floor(records.length / size) }, (_, index) =>
    records.slice(index * size, (index + 1) * size),
  );
}

function meanBytes(records: readonly Message[]): number {
  const sum = records.reduce((bytes, { value }) => bytes + (value?.length ?? 0), 0);
  return sum / records.length;
}
