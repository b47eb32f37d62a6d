import type { SubjectCipher } from '@annals/core';
import {
  advance,
  appendBytes,
  type Checkpoint,
  type EventLog,
  encodeCheckpoint,
  limits as logLimits,
  type NewEvent,
} from '@annals/event-log';
import { type ScoreToAppend, sameScore } from './decide.ts';
import { scoreEvents } from './events.ts';
import { notStored, type Overloaded, type Refused, refused, type Unknown } from './outcome.ts';
import type { Entry, LeaderboardReadModel } from './read-model/port.ts';

/** What became of one score. `position` is where a read sees it; all but refusals and `overloaded` may be in the log. */
export type ScoreResult =
  | {
      readonly kind: 'recorded';
      /** The player's score at this position. */
      readonly total: number;
      readonly duplicate: boolean;
      readonly position: string;
    }
  /** Durable, and counted or void; the read model is lost or late, so the total is not known. */
  | { readonly kind: 'recorded-unseen'; readonly duplicate: boolean; readonly position: string }
  /** In the log, but it does not count: the score stays what it was. */
  | {
      readonly kind: 'void';
      readonly reason: 'period-closed' | 'total-out-of-range';
      readonly duplicate: boolean;
      readonly position: string;
    }
  | Refused<'period-closed' | 'score-key-reused'>
  | Overloaded
  | Unknown;

export interface RecordScoresMeans {
  readonly log: Pick<EventLog, 'append' | 'readStream'>;
  readonly cipher: SubjectCipher;
  readonly readModel: Pick<LeaderboardReadModel, 'entries' | 'waitFor'>;
  /** How long an answer waits for the read model, in milliseconds. */
  readonly visibleMsMax: number;
}

export const recordScoresLimits = {
  /** Items of one bucket that are looked up at a time. */
  lookupsAtOnceMax: 32,
  /** Attempts at a bucket whose scores somebody else is storing at the same moment. */
  attemptsMax: 4,
} as const;

interface Appended {
  readonly kind: 'appended';
  readonly stream: string;
  readonly revision: number;
  readonly partition: number;
  readonly position: string;
  readonly duplicate: boolean;
}

type Outcome = Appended | Refused<'period-closed' | 'score-key-reused'> | Overloaded | Unknown;

interface Item {
  readonly index: number;
  readonly score: ScoreToAppend;
  readonly event: NewEvent;
}

/**
 * Appends scores, one append for each bucket, and says what became of each, in their order. All keys
 * differ. Sent again, whole or in part, it stores what is missing and gives the first answers again.
 */
export async function recordScores(
  means: RecordScoresMeans,
  scores: readonly ScoreToAppend[],
): Promise<readonly ScoreResult[]> {
  const events = await encode(means, scores);
  const items = scores.map((score, index) => ({ index, score, event: events[index] as NewEvent }));
  const outcomes: Outcome[] = [];
  const buckets = [...Map.groupBy(items, (item) => item.score.stream).values()];
  await Promise.all(buckets.map((bucket) => appendBucket(means, bucket, outcomes)));
  return seen(means, outcomes);
}

async function encode(
  { cipher }: RecordScoresMeans,
  scores: readonly ScoreToAppend[],
): Promise<readonly NewEvent[]> {
  const encoded = await scoreEvents.encode(
    scores.map((score) => score.event),
    cipher,
  );
  if (encoded.kind === 'encoded') return encoded.events;
  throw new TypeError('a score holds no personal data, so nobody can be erased from it');
}

async function appendBucket(
  means: RecordScoresMeans,
  bucket: readonly Item[],
  outcomes: Outcome[],
): Promise<void> {
  await eachAtOnce(
    bucket.filter((item) => item.score.onlyIfKnown),
    async (item) => {
      outcomes[item.index] =
        (await lookUp(means, item)) ?? refused('period-closed', closedDetail(item.score));
    },
  );
  const open = bucket.filter((item) => !item.score.onlyIfKnown);
  for (const together of appendsOf(open)) await appendTogether(means, together, outcomes);
}

/** Splits what is too large for one append, keeping the order. */
function appendsOf(items: readonly Item[]): Item[][] {
  const appends: Item[][] = [];
  let bytes = 0;
  for (const item of items) {
    const itemBytes = appendBytes([item.event]);
    const last = appends.at(-1);
    const full =
      !last ||
      last.length === logLimits.appendEventsMax ||
      bytes + itemBytes > logLimits.appendBytesMax;
    if (full) appends.push([item]);
    else last.push(item);
    bytes = full ? itemBytes : bytes + itemBytes;
  }
  return appends;
}

/** One append. Where some are known already, those are answered one by one and the rest appended again. */
async function appendTogether(
  means: RecordScoresMeans,
  items: readonly Item[],
  outcomes: Outcome[],
): Promise<void> {
  let fresh = items;
  for (let attempt = 0; fresh.length > 0; attempt += 1) {
    const first = fresh[0] as Item;
    const { stream } = first.score;
    const result = await means.log.append(
      stream,
      fresh.map((item) => item.event),
      { expected: 'any' },
    );
    if (result.kind === 'stored') {
      const firstRevision = result.revision - fresh.length + 1;
      for (const [place, item] of fresh.entries()) {
        outcomes[item.index] = appended(stream, firstRevision + place, result);
      }
      return;
    }
    const partlyKnown = result.kind === 'partial-duplicate' || result.kind === 'content-mismatch';
    if (!partlyKnown || attempt === recordScoresLimits.attemptsMax) {
      // Too many attempts: somebody else stores the same scores just now. Asked again, it settles.
      const outcome: Outcome = partlyKnown ? { kind: 'overloaded' } : notStored(stream, result);
      for (const item of fresh) outcomes[item.index] = outcome;
      return;
    }
    fresh = await answerKnown(means, fresh, outcomes);
  }
}

/** Answers the items that the log knows; returns the others. */
async function answerKnown(
  means: RecordScoresMeans,
  items: readonly Item[],
  outcomes: Outcome[],
): Promise<readonly Item[]> {
  const fresh = new Set<Item>();
  await eachAtOnce(items, async (item) => {
    const outcome = await lookUp(means, item);
    if (outcome) outcomes[item.index] = outcome;
    else fresh.add(item);
  });
  return items.filter((item) => fresh.has(item));
}

/**
 * What the log knows under this score's key, storing nothing: the duplicate check of an append comes
 * before the expected check, and a bucket with a known or closed score in it is never `no-stream`.
 */
async function lookUp(
  { log, cipher }: RecordScoresMeans,
  { score, event }: Item,
): Promise<Outcome | undefined> {
  const { stream } = score;
  const result = await log.append(stream, [event], { expected: 'no-stream' });
  if (result.kind === 'stored') return appended(stream, result.revision, result);
  if (result.kind === 'conflict') return undefined;
  if (result.kind !== 'content-mismatch') return notStored(stream, result);
  const { events } = await log.readStream(stream, { from: result.revision, limit: 1 });
  const [known] = await scoreEvents.decode(events, cipher);
  if (known?.type !== 'score-recorded' || known.id !== event.id) {
    throw new Error(`${stream}@${result.revision} is not the score that the log said it is`);
  }
  if (sameScore(known.data, score.event.data)) {
    return appended(stream, known.revision, { ...known, duplicate: true });
  }
  const detail = 'the score with this leaderboard, match_id and user_id has other points';
  return refused('score-key-reused', detail);
}

function appended(
  stream: string,
  revision: number,
  place: Pick<Appended, 'partition' | 'position' | 'duplicate'>,
): Appended {
  const { partition, position, duplicate } = place;
  return { kind: 'appended', stream, revision, partition, position, duplicate };
}

function closedDetail(score: ScoreToAppend): string {
  const { board, period } = score.event.data;
  return `period ${period} of leaderboard ${board} is closed`;
}

/** Waits for the read model and reads what became of what was appended. */
async function seen(
  { readModel, visibleMsMax }: RecordScoresMeans,
  outcomes: readonly Outcome[],
): Promise<readonly ScoreResult[]> {
  const places = outcomes.filter((outcome) => outcome.kind === 'appended');
  const entryOf = new Map<Outcome, Entry | undefined>();
  if (places.length > 0) {
    const reached = await readModel.waitFor(checkpointOf(places), visibleMsMax);
    const answer = reached === 'reached' ? await readModel.entries(places) : { kind: reached };
    if (answer.kind === 'answer') {
      for (const [index, place] of places.entries()) entryOf.set(place, answer.entries[index]);
    }
  }
  return outcomes.map((outcome) =>
    outcome.kind === 'appended' ? scoreResult(outcome, entryOf.get(outcome)) : outcome,
  );
}

function checkpointOf(places: readonly Appended[]): Checkpoint {
  return places.reduce<Checkpoint>(
    (checkpoint, { partition, position }) => advance(checkpoint, partition, position),
    {},
  );
}

function scoreResult(
  { partition, position: at, duplicate }: Appended,
  entry: Entry | undefined,
): ScoreResult {
  const position = encodeCheckpoint({ [partition]: at });
  // An entry may be missing although the read model has come this far: its event is parked.
  if (!entry) return { kind: 'recorded-unseen', duplicate, position };
  if (entry.status === 'counted' && entry.total !== null) {
    return { kind: 'recorded', total: entry.total, duplicate, position };
  }
  const reason = entry.status === 'void-closed' ? 'period-closed' : 'total-out-of-range';
  return { kind: 'void', reason, duplicate, position };
}

async function eachAtOnce(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  const workers = Math.min(items.length, recordScoresLimits.lookupsAtOnceMax);
  await Promise.all(Array.from({ length: workers }, worker));
}
