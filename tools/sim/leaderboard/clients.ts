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

/** What the name of every player begins with, so that it is found wherever it is left. */
export const namePrefix = 'Name of ';

export function drawPlayer(random: Random): string {
  return `player-${random.int(1, playersMax)}`;
}

export function scoreKey({ leaderboard, match_id, user_id }: ScoreInput): string {
  return JSON.stringify([leaderboard, match_id, user_id]);
}

export function drawScore(random: Random): ScoreInput {
  const huge = random.chance(2);
  return scoreInputSchema.parse({
    user_id: drawPlayer(random),
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
  /** Every name that was ever sent, by player. */
  readonly names = new Map<string, string[]>();
  /** What was answered that must never be, in words. */
  readonly alarms: string[] = [];
  /** Players whose erasure was acknowledged. */
  readonly erased = new Set<string>();
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

  /** Names a player, without waiting for the answer. */
  name(api: ApiProcess, userId: string, number: number): void {
    const name = `${namePrefix}${userId}, ${number}`;
    this.names.set(userId, [...(this.names.get(userId) ?? []), name]);
    const wasErased = this.erased.has(userId);
    const named = api.leaderboard.putPlayer(userId, { name }).then((result) => {
      this.#world.trace.say(`name ${userId}: ${result.kind}`);
      if (wasErased && result.kind === 'named') this.alarms.push(`${userId} was named again`);
    });
    this.#count(named);
  }

  /** Erases a player, without waiting for the answer. */
  erase(api: ApiProcess, userId: string): void {
    const erased = api.leaderboard.erasePlayer(userId).then((result) => {
      this.#world.trace.say(`erase ${userId}: ${result.kind}`);
      if (result.kind === 'erased') this.erased.add(userId);
    });
    this.#count(erased);
  }

  /** A broken connection tells the caller nothing: scores are sent again later. */
  #count(request: Promise<void>): void {
    this.#underWay += 1;
    request
      .catch((error: unknown) => this.#world.trace.say(`answer lost: ${String(error)}`))
      .finally(() => {
        this.#underWay -= 1;
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
    const heard = send().then((results) => {
      for (const [index, result] of results.entries()) {
        this.#hear(inputs[index] as ScoreInput, result);
      }
    });
    this.#count(heard);
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
