import type { TopicRecord } from './partition-follower.ts';
import { readRecord, recordFormats } from './record-formats.ts';
import type { RecordReader } from './topic-reader.ts';

/** Whether records of a log are in a partition. Somebody may have written something else before, or behind it by mistake. */
export async function holdsLog(
  reader: Pick<RecordReader, 'read'>,
  partition: number,
  low: number,
  end: number,
): Promise<boolean> {
  if (low >= end) return false;
  for (const offset of new Set([low, Math.max(low, end - lastRecordsLookedAt)])) {
    const records = await reader.read(partition, offset);
    const isOurs = ({ key, value }: TopicRecord) =>
      readRecord(recordFormats, value, key).kind !== 'foreign';
    if (records.some(isOurs)) return true;
  }
  return false;
}

const lastRecordsLookedAt = 100;
