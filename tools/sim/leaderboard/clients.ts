import {
  type BoardInput,
  type ScoreInput,
  type ScoreResult,
  scoreInputSchema,
} from '@annals/leaderboard';
import type { Random } from '../random.ts';
import type { ApiProcess, World } from './world.ts';

/** The boards that are played on: every operator, both orders, short periods and long ones. */
export const boards: { readonly [id: string]: BoardInput } = {
  default: { operator: 'increment', order: 'desc', reset: 'monthly' },
  fastest: { operator: 'best', order: 'asc', reset: 'daily' },
  highest: { operator: 'best', order: 'desc', reset: 'never' },
  latest: { operator: 'latest', order: 'desc', reset: 'weekly' },
};

/** Small, so that keys, ties and totals meet again and again. */
const playersMax = 6;
const matchesMax = 40;
const pointsMax = 4;

export function scoreKey({ leaderboard, match_id, user_id }: ScoreInput): string {
  return JSON.stringify([leaderboard, match_id, user_id]);
}

export function drawScore(random: Random): ScoreInput {
  const huge = random.chance(2);
  return scoreInputSchema.parse({
    user_id: `player-${random.int(1, playersMax)}`,
    match_id: `match-${random.int(1, matchesMax)}`,
    leaderboard: random.pick(Object.keys(boards)),
    points: huge ? 1_000_000_000_000 : random.int(-1, pointsMax),
  });
}

/** What a caller was told about a score, for good. */
export interface Told {
  readonly input: ScoreInput;
  readonly result: Extract<ScoreResult, { kind: 'recorded' | 'recorded-unseen' | 'void' }>;
}

/** The callers of the API: they send, and send again until they have an answer. */
export class Clients {
  readonly told: Told[] = [];
  /** Sent, and the answer was lost or said to try again. */
  readonly pending = new Map<string, ScoreInput>();
  /** Every key that was ever sent, with the points it was first sent with. */
  readonly sent = new Map<string, ScoreInput>();
  readonly #world: World;
  #underWay = 0;

  constructor(world: World) {
    this.#world = world;
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Sends one score to a process, without waiting for the answer. */
  send(api: ApiProcess, input: ScoreInput): void {
    this.#begin([input], async () => [await api.leaderboard.recordScore(input)]);
  }

  sendBatch(api: ApiProcess, inputs: readonly ScoreInput[]): void {
    const distinct = [...new Map(inputs.map((input) => [scoreKey(input), input])).values()];
    this.#begin(distinct, async () => {
      const batch = await api.leaderboard.recordScores(distinct);
      return batch.kind === 'batch' ? batch.results : distinct.map(() => batch);
    });
  }

  #begin(
    inputs: readonly ScoreInput[],
    send: () => Promise<
      readonly (ScoreResult | { readonly kind: 'refused'; readonly reason: string })[]
    >,
  ): void {
    for (const input of inputs) {
      const key = scoreKey(input);
      const first = this.sent.get(key) ?? input;
      this.sent.set(key, first);
      this.pending.set(key, first);
    }
    this.#underWay += 1;
    send()
      .then((results) => {
        for (const [index, result] of results.entries()) {
          this.#hear(inputs[index] as ScoreInput, result);
        }
      })
      // A broken connection: the caller knows nothing, and sends again later.
      .catch((error: unknown) => this.#world.trace.say(`answer lost: ${String(error)}`))
      .finally(() => {
        this.#underWay -= 1;
      });
  }

  #hear(
    input: ScoreInput,
    result: ScoreResult | { readonly kind: 'refused'; readonly reason: string },
  ): void {
    const key = scoreKey(input);
    this.#world.trace.say(`told ${key} ${input.points}: ${JSON.stringify(result)}`);
    switch (result.kind) {
      case 'recorded':
      case 'recorded-unseen':
      case 'void':
        this.told.push({ input, result });
        if (this.sent.get(key)?.points === input.points) this.pending.delete(key);
        return;
      case 'refused':
        // With its own points it was refused for good; with others it says nothing of the first.
        if (this.sent.get(key)?.points === input.points) this.pending.delete(key);
        return;
      default:
    }
  }
}
