import { hash } from 'node:crypto';
import { type AppendResult, EventLogError } from '@annals/event-log/port';
import { encodePosition, type Replica, type WrittenResult } from '@annals/event-log-sqlite/replica';
import { decideAppend, type Rules } from './decide-append.ts';
import { FollowError, otherPartitions, recordInTransaction } from './follow-error.ts';
import { beginning, type FollowerProgress, readProgress } from './follower-progress.ts';
import { kafkaLimits } from './kafka-limits.ts';
import { partitionOf } from './partition-of.ts';
import {
  type AppendRecord,
  type BarrierRecord,
  isOfInstance,
  type LogRecord,
  numberOf,
  type Witness,
} from './record.ts';
import { type RecordFormats, readRecord } from './record-formats.ts';
import { SettledIds } from './settled-ids.ts';
import { foldVerdict, sameHash, type VerdictHash, verdictHashText } from './verdict-hash.ts';

/** A record as the topic hands it over. */
export interface TopicRecord {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Written in a transaction, of which nobody knows yet whether it counts: nothing of ours is. */
  readonly isInTransaction?: boolean;
}

/** What became of a record of this process. */
export interface Outcome {
  /** The number in its append id. */
  readonly number: number;
  /** `void` and `barrier` records are `seen`; an append whose void came first is `void`. */
  readonly result: AppendResult | { readonly kind: 'seen' } | { readonly kind: 'void' };
}

/** What was fetched of a partition: from an offset to before another one. */
export interface Stretch {
  readonly from: number;
  readonly next: number;
}

export type Applied =
  | { readonly kind: 'applied'; readonly outcomes: readonly Outcome[]; readonly events: number }
  /** The feed began too late: it must be asked again, from `from` on. */
  | { readonly kind: 'seek'; readonly from: number };

export interface FollowerOptions {
  readonly replica: Replica;
  /** Names the topic, for as long as it is the same: a replica of another one is refused. */
  readonly topic: string;
  /** Told by the cluster, where it does: another topic of the same name has another one. */
  readonly topicId?: string | undefined;
  readonly partition: number;
  readonly partitions: number;
  readonly formats: RecordFormats;
  /** Whose outcomes are told: 20 hex digits. */
  readonly instance: string;
  /** Of how many records bodies are kept, the last ones of the topic; all when it is undefined. */
  readonly bodyRecordsMax?: number | undefined;
}

/** What a verdict is called in the verdict hash. Part of the format: numbers are never given twice. */
const verdictNumbers = {
  written: 1,
  duplicate: 2,
  conflict: 3,
  'content-mismatch': 4,
  'partial-duplicate': 5,
  ignored: 6,
  void: 7,
  barrier: 8,
  foreign: 9,
} as const;

/**
 * Judges the records of one partition and keeps what they store in a replica, many in one transaction.
 * It knows no Kafka: records come from a worker, a simulation or a test, in the order of the topic, and
 * may come again. One that has thrown is not used any more.
 */
export class PartitionFollower {
  readonly partition: number;
  readonly #options: FollowerOptions;
  readonly #replica: Replica;
  readonly #settled: SettledIds;
  /** Changed in place: it moves with each record. */
  readonly #progress: Mutable<FollowerProgress>;
  /** The last record that was judged and is not committed. */
  #uncommitted: TopicRecord | undefined;
  /** The offset that the topic would give to its next record, as far as it was told. */
  #end = 0;
  /** Whether the last record that was applied is still in the topic as it was. */
  #verified: boolean;
  readonly #hashOffsets = new Float64Array(kafkaLimits.rememberedHashes).fill(-1);
  readonly #hashes = new Uint32Array(2 * kafkaLimits.rememberedHashes);

  constructor(options: FollowerOptions) {
    const { replica, topic, partition, partitions } = options;
    this.#options = options;
    this.#replica = replica;
    this.partition = partition;
    const kept = replica.progress();
    this.#progress = {
      ...(kept === undefined ? beginning(topic, partitions) : readProgress(kept)),
    };
    if (this.#progress.topic !== topic) {
      const follows = `the replica of partition ${partition} follows ${this.#progress.topic}`;
      const problem = `${follows}, not ${topic}: give this topic a folder of its own`;
      throw new FollowError('other-topic', problem);
    }
    if (this.#progress.partitions !== partitions) {
      throw otherPartitions(options, this.#progress.partitions, 'its replica says so');
    }
    this.#checkTopicId(options.topicId);
    this.#settled = new SettledIds(replica.marks());
    this.#verified = this.#progress.lastOffset < 0;
    this.#remember(this.#progress.lastOffset, this.#progress.hash);
  }

  get progress(): FollowerProgress {
    return { ...this.#progress };
  }

  /** Where the topic goes on. */
  get nextOffset(): number {
    return this.#progress.nextOffset;
  }

  /** Where the feed has to begin: at the last record that was applied, to see that it is still there. */
  get feedFrom(): number {
    return Math.max(0, this.#progress.lastOffset);
  }

  /** The feed begins anew: it may be another topic under the same name. Throws FollowError. */
  resume(topicId?: string): void {
    this.#checkTopicId(topicId);
    this.#verified = this.#progress.lastOffset < 0;
  }

  /** `end` is the offset that the topic would give to its next record. Throws FollowError. */
  checkEnd(end: number): void {
    const { nextOffset, topic } = this.#progress;
    this.#end = end;
    if (end >= nextOffset) return;
    throw new FollowError(
      'shorter-topic',
      `partition ${this.partition} of ${topic} ends at offset ${end}, and ${nextOffset} records were read from it: ` +
        'it has been truncated or made anew. To follow what is there now, remove the replica',
    );
  }

  /** Of a replica that has not been told an id, the first one that is told is the right one. */
  #checkTopicId(topicId: string | undefined): void {
    if (topicId === undefined) return;
    const { topicId: followed = topicId, topic } = this.#progress;
    if (followed !== topicId) {
      throw new FollowError(
        'other-topic',
        `partition ${this.partition} was read from the topic ${topic} with the id ${followed}, and ${topic} has the id ` +
          `${topicId} now: it has been removed and made anew. To follow what is there now, remove the replica`,
      );
    }
    this.#progress.topicId = topicId;
  }

  /** Judges `records` and commits. Throws FollowError, or EventLogError when the replica fails. */
  apply(records: readonly TopicRecord[]): Applied {
    const applied = this.judge(records);
    this.commit();
    return applied;
  }

  /**
   * Judges `records`, which no reader sees before `commit`. Their verdicts hold all the same: they are a function of
   * the topic, and what a crash takes is judged again. The stretch also has marks of Kafka's own, which are no records.
   * Throws as `apply` does.
   */
  judge(records: readonly TopicRecord[], { from, next }: Stretch = stretchOf(records)): Applied {
    const fresh = this.#fresh(records, from);
    if (fresh === undefined) return { kind: 'seek', from: this.feedFrom };
    const applied = this.#applyAll(fresh);
    this.#progress.nextOffset = Math.max(this.#progress.nextOffset, next);
    return applied;
  }

  #applyAll(fresh: readonly TopicRecord[]): Applied {
    const last = fresh.at(-1);
    if (!last) return { kind: 'applied', outcomes: [], events: 0 };
    const outcomes: Outcome[] = [];
    const eventsBefore = this.#progress.events;
    this.#replica.join(() => {
      for (const record of fresh) this.#applyOne(record, outcomes);
    });
    this.#uncommitted = last;
    return { kind: 'applied', outcomes, events: this.#progress.events - eventsBefore };
  }

  /** Keeps what was judged, and how far that was, in one transaction. */
  commit(): void {
    const last = this.#uncommitted;
    if (!last) return;
    this.#progress.lastRecordHash = recordHash(last);
    this.#replica.join(() => {
      this.#settled.forget(this.#replica, last.offset);
      this.#dropBodies();
      this.#replica.keepProgress(JSON.stringify(this.#progress));
    });
    this.#replica.settle();
    this.#uncommitted = undefined;
  }

  /** Many at a time: the pages of old events are not written again for each commit. */
  #dropBodies(): void {
    const { bodyRecordsMax } = this.#options;
    if (bodyRecordsMax === undefined) return;
    const { bodiesFrom = 0, nextOffset } = this.#progress;
    const windowFrom = Math.max(this.#end, nextOffset) - bodyRecordsMax;
    const until = Math.min(nextOffset, windowFrom, bodiesFrom + kafkaLimits.droppedRecordsMax);
    const step = Math.min(bodyRecordsMax / 4, kafkaLimits.droppedRecordsMin);
    if (until <= bodiesFrom + step) return;
    this.#replica.dropBodies(bodiesFrom, until);
    this.#progress.bodiesFrom = until;
  }

  /** Those not applied yet; undefined when the feed does not reach back to where it has to begin. */
  #fresh(records: readonly TopicRecord[], from: number): readonly TopicRecord[] | undefined {
    const { nextOffset, lastOffset, topic } = this.#progress;
    // Nothing that was read could show that a feed has begun too late, so it must have begun where the topic does.
    if (nextOffset === 0 && from > 0) return undefined;
    // A feed that goes back has lost its place, and may have begun anew in another topic.
    if (nextOffset > 0 && (records[0]?.offset ?? nextOffset) < nextOffset) this.#verified = false;
    if (!this.#verified) {
      const same = records.find((record) => record.offset === lastOffset);
      if (!same) return (records[0]?.offset ?? lastOffset) < lastOffset ? [] : undefined;
      this.commit();
      if (recordHash(same) !== this.#progress.lastRecordHash) {
        throw new FollowError(
          'changed-record',
          `partition ${this.partition} of ${topic} holds another record at offset ${lastOffset} than the one that was read: ` +
            'it is another topic of the same name. To follow what is there now, remove the replica',
        );
      }
      this.#verified = true;
    }
    const first = records.findIndex((record) => record.offset >= nextOffset);
    return first < 0 ? [] : first === 0 ? records : records.slice(first);
  }

  #applyOne(topicRecord: TopicRecord, outcomes: Outcome[]): void {
    const { offset, key, value } = topicRecord;
    const read = readRecord(this.#options.formats, value, key);
    if (read.kind === 'newer') {
      throw new FollowError(
        'newer-record',
        `the record at offset ${offset} of partition ${this.partition} has format ${read.format}, ` +
          'which this program does not know: use a newer one',
      );
    }
    const isMisplaced = read.kind === 'record' && this.#isMisplaced(read.record);
    if (read.kind === 'foreign' || isMisplaced) {
      this.#progress.foreign += 1;
      if (isMisplaced && !this.#progress.isFounded) {
        this.#progress.misplaced = (this.#progress.misplaced ?? 0) + 1;
      }
      this.#count(offset, verdictNumbers.foreign, 0);
      return;
    }
    const { record } = read;
    if (topicRecord.isInTransaction) throw recordInTransaction(this.partition, offset);
    this.#compareWith(record.witness, offset);
    if (record.kind === 'append') {
      this.#applyAppend(record, offset, outcomes);
      return;
    }
    if (record.kind === 'void') this.#settled.void(this.#replica, record.voids);
    else this.#found(record, offset);
    this.#progress[`${record.kind}s`] += 1;
    this.#count(offset, verdictNumbers[record.kind], 0);
    this.#tell(record, () => ({ kind: 'seen' }), outcomes);
  }

  #applyAppend(record: AppendRecord, offset: number, outcomes: Outcome[]): void {
    // Stamps never go back within a partition, whatever the clocks of its processes do.
    const stamp = Math.max(this.#progress.stamp, record.stampedAt);
    const { stream, expected } = record;
    const events = record.events.map((event) =>
      event.recordedAt === null ? { ...event, recordedAt: stamp } : event,
    );
    const settled = (appendId: string) => this.#settled.has(appendId, offset);
    const result = this.#replica.append({ stream, expected, events }, offset, (view) =>
      decideAppend({ head: view.head, known: view.known, settled }, record, this.#rules),
    );
    if (result.kind === 'conflict') this.#settled.refuse(this.#replica, record.appendId, offset);
    this.#progress.stamp = stamp;
    if (result.kind === 'written' && !result.duplicate) this.#progress.events += events.length;
    this.#count(offset, ...verdictOf(result));
    this.#tell(record, () => this.#answerOf(result), outcomes);
  }

  readonly #rules: Rules = {
    get: (version) => this.#options.formats.get(version)?.decide,
  };

  #answerOf(result: WrittenResult | { readonly kind: 'ignored' }): Outcome['result'] {
    if (result.kind === 'ignored') return { kind: 'void' };
    if (result.kind !== 'written') return result;
    const { revision, position, recordedAt, duplicate } = result;
    const { partition } = this;
    return {
      kind: 'stored',
      ...{ revision, partition, position: encodePosition(position), recordedAt, duplicate },
    };
  }

  /** Most records are of other processes, who need no answer from here. */
  #tell(record: LogRecord, answer: () => Outcome['result'], outcomes: Outcome[]): void {
    if (!isOfInstance(record.appendId, this.#options.instance)) return;
    outcomes.push({ number: numberOf(record.appendId), result: answer() });
  }

  /** A stream has one home: a record that somebody put elsewhere would make it a second one. */
  #isMisplaced(record: LogRecord): boolean {
    return (
      record.kind === 'append' &&
      partitionOf(record.stream, this.#options.partitions) !== this.partition
    );
  }

  /** The first that says a number is right: all that was written behind it was placed by it. */
  #found({ partitions }: BarrierRecord, offset: number): void {
    if (partitions === undefined || this.#progress.isFounded) return;
    if (partitions !== this.#options.partitions) {
      throw otherPartitions(this.#options, partitions, `the record at offset ${offset} says so`);
    }
    this.#progress.isFounded = true;
  }

  #count(offset: number, verdict: number, revision: number): void {
    const progress = this.#progress;
    progress.hash = foldVerdict(progress.hash, offset, verdict, revision, progress.stamp);
    progress.lastOffset = offset;
    progress.nextOffset = offset + 1;
    this.#remember(offset, progress.hash);
  }

  #remember(offset: number, { high, low }: VerdictHash): void {
    if (offset < 0) return;
    const slot = offset % kafkaLimits.rememberedHashes;
    this.#hashOffsets[slot] = offset;
    this.#hashes[2 * slot] = high;
    this.#hashes[2 * slot + 1] = low;
  }

  #compareWith(witness: Witness, offset: number): void {
    if (witness.offset < 0) return;
    const slot = witness.offset % kafkaLimits.rememberedHashes;
    if (this.#hashOffsets[slot] !== witness.offset) return;
    const high = this.#hashes[2 * slot] as number;
    const low = this.#hashes[2 * slot + 1] as number;
    if (sameHash({ high, low }, witness.hash)) return;
    throw new FollowError(
      'diverged',
      `up to offset ${witness.offset} of partition ${this.partition} the verdicts here hash to ${verdictHashText({ high, low })}, ` +
        `and to ${verdictHashText(witness.hash)} for the process that wrote offset ${offset}: one of them is wrong. ` +
        'Remove the replica of the one that runs the older program',
    );
  }
}

function stretchOf(records: readonly TopicRecord[]): Stretch {
  const [first, last] = [records[0], records.at(-1)];
  return first && last ? { from: first.offset, next: last.offset + 1 } : { from: 0, next: 0 };
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

function verdictOf(
  result: WrittenResult | { readonly kind: 'ignored' },
): [verdict: number, revision: number] {
  switch (result.kind) {
    case 'written':
      return [
        result.duplicate ? verdictNumbers.duplicate : verdictNumbers.written,
        result.revision,
      ];
    case 'conflict':
      return [verdictNumbers.conflict, result.actual === 'no-stream' ? -1 : result.actual];
    case 'content-mismatch':
      return [verdictNumbers['content-mismatch'], result.revision];
    case 'partial-duplicate':
      return [verdictNumbers['partial-duplicate'], result.known.length];
    case 'ignored':
      return [verdictNumbers.ignored, 0];
    default:
      throw new EventLogError('io', `a record cannot be ${result.kind}`);
  }
}

function recordHash({ key, value }: TopicRecord): string {
  return hash('sha256', Buffer.concat([key ?? Buffer.alloc(0), value ?? Buffer.alloc(0)]), 'hex');
}
