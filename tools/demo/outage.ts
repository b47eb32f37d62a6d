import { setTimeout as delay } from 'node:timers/promises';
import { scoreAnswer } from './answers.ts';
import { type Client, problemIn } from './client.ts';
import { limits } from './limits.ts';

/** Callers that go on writing, and how long each rests between two writes. */
const writers = 4;
const restMs = 20;

/** What became of the writes while the read model was gone. */
export interface OutageWrites {
  /** Answered 200 or 202. */
  readonly accepted: number;
  /** Their points in all: what the board must hold in the end. */
  readonly points: number;
  readonly positions: readonly string[];
  /** Anything else that was answered, at most `limits.differencesShownMax` of them. */
  readonly refused: readonly string[];
}

/**
 * Goes on writing scores of one point, each in a match of its own, until `stop` is called. Nothing is
 * sent again: a write that is refused once was refused.
 */
export function writeOn(
  client: Client,
  target: {
    readonly leaderboard: string;
    readonly userIds: readonly string[];
    readonly run: string;
  },
): { stop(): Promise<OutageWrites> } {
  const { leaderboard, userIds, run } = target;
  const positions: string[] = [];
  const refused: string[] = [];
  let sent = 0;
  let stopped = false;
  const write = async () => {
    while (!stopped) {
      const user_id = userIds[sent % userIds.length];
      sent += 1;
      const body = { leaderboard, user_id, match_id: `${run}-outage-${sent}`, points: 1 };
      const answer = await client.send({ method: 'POST', path: '/v1/scores', body });
      const read = scoreAnswer.safeParse(answer.body);
      const accepted = (answer.status === 200 || answer.status === 202) && read.success;
      if (accepted) positions.push(read.data.position);
      else if (refused.length < limits.differencesShownMax) {
        refused.push(`${answer.status} ${problemIn(answer.body).detail}`);
      }
      await delay(restMs);
    }
  };
  // A writer that breaks is heard of when they are stopped, not as an unhandled rejection before.
  const ends = Promise.allSettled(Array.from({ length: writers }, write));
  return {
    stop: async () => {
      stopped = true;
      const broken = (await ends).find((end) => end.status === 'rejected');
      if (broken) throw broken.reason;
      return { accepted: positions.length, points: positions.length, positions, refused };
    },
  };
}
