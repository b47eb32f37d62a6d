import { idFromKey, type SubjectCipher } from '@annals/core';
import {
  boardStream,
  bucketOf,
  leaderboardEvents,
  playerStream,
  playerSubject,
  scoresStream,
} from '@annals/leaderboard';
import type { HistoryStep, MakeHistory } from '@annals/projection/contract';
import {
  erasureEvent,
  erasureStream,
  memorySubjectKeyStore,
  subjectCipher,
} from '@annals/subject-keys';

type Encodable = Parameters<typeof leaderboardEvents.encode>[0][number];
type Random = Parameters<MakeHistory>[0];

const buckets = 3;
const periods = ['2026-10', '2026-11'];
const players = ['ann', 'bob', 'cid', '__proto__', 'Ωμέγα ~', '\u{1f600}'];
const settings = (['increment', 'best', 'latest'] as const).flatMap((operator) =>
  (['desc', 'asc'] as const).map((order) => ({ board: `${operator}-${order}`, operator, order })),
);
/** What happens next: the more often it stands here, the more often it happens. */
const happenings = [
  ...Array.from({ length: 30 }, () => 'score' as const),
  ...Array.from({ length: 5 }, () => 'name' as const),
  ...Array.from({ length: 2 }, () => 'erase' as const),
  'close' as const,
];
const happeningsMax = 120;

/**
 * Boards of every operator and order, few players and few points (so that most are tied), totals that
 * would leave the safe integers, closed periods, names, and erasures of which some are told before
 * their key is destroyed, so that names come behind them.
 */
export const leaderboardHistory: MakeHistory = async (random, clock) => {
  const history = new LeaderboardHistory(random, clock.now());
  for (const board of settings) await history.makeBoard(board);
  for (let step = 0; step < happeningsMax; step += 1) await history[random.pick(happenings)]();
  return { cipher: history.cipher, steps: history.steps };
};

class LeaderboardHistory {
  readonly steps: HistoryStep[] = [];
  readonly cipher: SubjectCipher;
  readonly #random: Random;
  readonly #occurredAt: number;
  readonly #keys = memorySubjectKeyStore();
  readonly #erased = new Set<string>();
  #events = 0;

  constructor(random: Random, occurredAt: number) {
    this.#random = random;
    this.#occurredAt = occurredAt;
    this.cipher = subjectCipher(this.#keys);
  }

  async makeBoard(board: (typeof settings)[0]): Promise<void> {
    const data = { ...board, reset: 'monthly' as const, buckets };
    await this.#add(boardStream(board.board), [{ type: 'board-configured', ...this.#new(), data }]);
  }

  /** One to three scores of a player, in one append. */
  async score(): Promise<void> {
    const random = this.#random;
    const user_id = random.pick(players);
    const on = { ...random.pick(settings), period: random.pick(periods) };
    const scores = Array.from({ length: random.int(1, 3) }, () => {
      const points = random.chance(5) ? Number.MAX_SAFE_INTEGER : random.int(-2, 3);
      const event = this.#new();
      const data = { ...on, user_id, match_id: event.id, points };
      return { type: 'score-recorded' as const, ...event, data };
    });
    await this.#add(scoresStream(on.board, bucketOf(user_id, buckets)), scores);
  }

  async close(): Promise<void> {
    const data = { board: this.#random.pick(settings).board, period: this.#random.pick(periods) };
    for (let bucket = 0; bucket < buckets; bucket += 1) {
      const closed = { type: 'period-closed' as const, ...this.#new(), data };
      await this.#add(scoresStream(data.board, bucket), [closed]);
    }
    const completed = { type: 'period-close-completed' as const, ...this.#new(), data };
    await this.#add(boardStream(data.board), [completed]);
  }

  async name(): Promise<void> {
    const user_id = this.#random.pick(players);
    const event = this.#new();
    const picture = this.#random.chance(50) ? { picture: `https://example.org/${event.id}` } : {};
    const data = { user_id, name: `Name ${this.#events}`, ...picture };
    await this.#add(playerStream(user_id), [{ type: 'player-named', ...event, data }]);
  }

  /** Told by the log once; the key is destroyed then, later, or never. */
  async erase(): Promise<void> {
    const subject = playerSubject(this.#random.pick(players));
    if (!this.#erased.has(subject)) {
      await this.#add(erasureStream(subject), [erasureEvent(subject, this.#occurredAt)]);
    }
    this.#erased.add(subject);
    if (this.#random.chance(60)) {
      this.steps.push({ act: async () => void (await this.#keys.destroy([subject])) });
    }
  }

  #new() {
    this.#events += 1;
    return { id: idFromKey('history', String(this.#events)), occurredAt: this.#occurredAt };
  }

  async #add(stream: string, made: readonly Encodable[]): Promise<void> {
    const encoded = await leaderboardEvents.encode(made, this.cipher);
    if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
    this.steps.push({ stream, events: encoded.events });
  }
}
