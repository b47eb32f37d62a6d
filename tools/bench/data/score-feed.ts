import { idFromKey, type SubjectCipher } from '@annals/core';
import { type EventLog, limits, type NewEvent } from '@annals/event-log';
import { bucketOf, type ScoreData, scoreEvents, scoresStream } from '@annals/leaderboard';

/** A score as the service would append it: real stream, real id, real encoding. */
export interface FedScore {
  readonly stream: string;
  readonly event: NewEvent;
  readonly data: ScoreData;
}

/** Large, prime, and no divisor of a number of players: steps through all of them in no visible order. */
const stride = 7_368_787;
const buckets = 64;
const pointsMax = 5;
/** Events made between two appends while a log is filled. */
const chunkEvents = 50_000;

/** Scores hold no personal data, so their codec never asks for a key. */
export const noPersonalData: SubjectCipher = {
  keyring: () => Promise.reject(new Error('a score holds no personal data')),
};

/** The id of a player, 0 to players - 1. */
export function playerId(index: number): string {
  return `player${String(index).padStart(8, '0')}`;
}

/**
 * An endless row of matches on the default board in the current month: every player in turn, in a
 * scattered order, with few different points, so that boards have many ties. The same feed again
 * gives the same events, but for their time.
 */
export class ScoreFeed {
  readonly #players: number;
  readonly #now = Date.now();
  #next: number;

  constructor(options: { readonly players: number; readonly firstMatch?: number }) {
    this.#players = options.players;
    this.#next = options.firstMatch ?? 0;
  }

  async take(count: number): Promise<readonly FedScore[]> {
    const first = this.#next;
    this.#next += count;
    const scores = Array.from({ length: count }, (_, index) => this.#score(first + index));
    const encoded = await scoreEvents.encode(
      scores.map(({ event }) => event),
      noPersonalData,
    );
    if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
    return scores.map(({ stream, event }, index) => ({
      stream,
      event: encoded.events[index] as NewEvent,
      data: event.data,
    }));
  }

  #score(match: number) {
    const userId = playerId((match * stride) % this.#players);
    const matchId = `match${String(match).padStart(9, '0')}`;
    const data: ScoreData = {
      board: 'default',
      user_id: userId,
      match_id: matchId,
      points: 1 + ((match * 31) % pointsMax),
      period: new Date(this.#now).toISOString().slice(0, 7),
      operator: 'increment',
      order: 'desc',
    };
    return {
      stream: scoresStream('default', bucketOf(userId, buckets)),
      event: {
        type: 'score-recorded' as const,
        id: idFromKey('score', 'default', matchId, userId),
        occurredAt: this.#now,
        data,
      },
    };
  }
}

/** Appends `events` scores to `log`, many to an append, as fast as it goes. */
export async function fillLog(log: EventLog, feed: ScoreFeed, events: number): Promise<void> {
  for (let done = 0; done < events; done += chunkEvents) {
    await appendScores(log, await feed.take(Math.min(chunkEvents, events - done)));
  }
}

/** Appends these scores to their streams, many to an append. */
export async function appendScores(log: EventLog, scores: readonly FedScore[]): Promise<void> {
  const streams = Map.groupBy(scores, (score) => score.stream);
  await Promise.all(
    [...streams].flatMap(([stream, own]) =>
      inAppends(own).map((batch) => appendAll(log, stream, batch)),
    ),
  );
}

/** Stores all of `batch` in `stream`, or throws. */
export async function appendAll(
  log: EventLog,
  stream: string,
  batch: readonly NewEvent[],
): Promise<void> {
  const result = await log.append(stream, batch, { expected: 'any' });
  if (result.kind !== 'stored' || result.duplicate) {
    throw new Error(`an append was not stored: ${JSON.stringify(result)}`);
  }
}

function inAppends(scores: readonly FedScore[]): NewEvent[][] {
  const appends: NewEvent[][] = [];
  for (let first = 0; first < scores.length; first += limits.appendEventsMax) {
    appends.push(scores.slice(first, first + limits.appendEventsMax).map(({ event }) => event));
  }
  return appends;
}
