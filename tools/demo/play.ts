import type { z } from 'zod';
import { batchAnswer, scoreAnswer } from './answers.ts';
import { type Client, UnexpectedAnswerError } from './client.ts';
import { limits } from './limits.ts';
import type { Player, Score } from './season.ts';
import { together } from './together.ts';

/** Where the scores go. */
export interface Board {
  readonly leaderboard: string;
  readonly period: string;
}

/** What became of the scores that were sent. */
export interface Played {
  readonly recorded: number;
  readonly duplicates: number;
  /** Positions whose totals the service could not tell yet: a read waits for them. */
  readonly unseen: readonly string[];
}

/** Gives every player a name: one request each. */
export async function namePlayers(
  client: Client,
  players: readonly Player[],
  onNamed: () => void,
): Promise<void> {
  await together(players, limits.requestsAtOnceMax, async ({ userId, name }) => {
    const path = `/v1/players/${encodeURIComponent(userId)}`;
    await client.tell({ method: 'PUT', path, body: { name } });
    onNamed();
  });
}

/** Scores that make a round: nine tenths go in one batch, the others one by one. */
const roundScores = 1_000;
const batchShare = 0.9;

/** The requests that carry the scores: batches and single ones in turn, in order. */
export function requestsOf(scores: readonly Score[]): Score[][] {
  const requests: Score[][] = [];
  for (let from = 0; from < scores.length; from += roundScores) {
    const round = scores.slice(from, from + roundScores);
    const inBatch = Math.ceil(round.length * batchShare);
    requests.push(round.slice(0, inBatch));
    for (const score of round.slice(inBatch)) requests.push([score]);
  }
  return requests;
}

/**
 * Sends every score, in batches and one by one, with bounded concurrency. Each counts once however
 * often it is sent. Throws UnexpectedAnswerError for the first that is refused for good.
 */
export async function playScores(
  client: Client,
  { leaderboard }: Pick<Board, 'leaderboard'>,
  scores: readonly Score[],
  onPlayed: (scores: number) => void,
): Promise<Played> {
  const played = { recorded: 0, duplicates: 0, unseen: [] as string[] };
  const tally = (result: { duplicate: boolean; total: number | null; position: string | null }) => {
    if (result.duplicate) played.duplicates += 1;
    else played.recorded += 1;
    if (result.total === null && result.position) played.unseen.push(result.position);
  };
  await together(requestsOf(scores), limits.requestsAtOnceMax, async (request) => {
    const bodies = request.map((score) => ({ ...score, leaderboard }));
    const [only] = bodies;
    if (bodies.length === 1 && only) {
      tally(await client.ask({ method: 'POST', path: '/v1/scores', body: only }, scoreAnswer));
    } else {
      for (const item of await sendBatch(client, bodies)) {
        tally({ ...item, duplicate: item.result === 'duplicate' });
      }
    }
    onPlayed(request.length);
  });
  return played;
}

type BatchItem = z.output<typeof batchAnswer>['data'][number];

/** Refusals of single items that pass when the batch is sent again. */
const passing: ReadonlySet<string> = new Set([
  'log-overloaded',
  'log-unreachable',
  'write-outcome-unknown',
]);

/** One batch, sent again while the log was too busy for a part of it: what is stored counts once. */
async function sendBatch(client: Client, scores: readonly Score[]): Promise<readonly BatchItem[]> {
  const ask = { method: 'POST', path: '/v1/scores/batch', body: { scores } } as const;
  const first = new Map<number, BatchItem>();
  for (let attempt = 1; ; attempt += 1) {
    const { data } = await client.ask(ask, batchAnswer);
    if (data.length !== scores.length) {
      throw new UnexpectedAnswerError(ask, 200, `${data.length} results of ${scores.length}`);
    }
    // What an earlier attempt stored was new, although this one calls it a duplicate.
    for (const [index, item] of data.entries()) {
      if (item.result !== 'refused' && !first.has(index)) first.set(index, item);
    }
    const refused = data.filter((item) => item.result === 'refused');
    if (refused.length === 0) return data.map((item, index) => first.get(index) ?? item);
    const final = refused.find((item) => !passing.has(item.problem?.code ?? ''));
    if (final || attempt === limits.attemptsMax) {
      throw new UnexpectedAnswerError(ask, 200, (final ?? refused[0])?.problem?.detail ?? '');
    }
    await client.pause({ retryAfterSeconds: 1 });
  }
}
