import type { Clock, SubjectCipher } from '@annals/core';
import {
  type Checkpoint,
  coversAll,
  type MemoryEventLog,
  type MemoryLogFaults,
  type MemoryStorage,
  memoryEventLog,
} from '@annals/event-log';
import { memorySubjectKeyStore, type SubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { type BoardDirectory, followBoards } from '../board-directory.ts';
import { leaderboardEvents } from '../events.ts';
import { NaiveLeaderboard } from '../read-model/naive.ts';
import type { LeaderboardReadModel, Lost } from '../read-model/port.ts';
import { Leaderboard } from '../service.ts';
import { categories } from '../streams.ts';

/** 2026-11-24T12:00:00Z: a Tuesday in week 48. */
export const noon = Date.parse('2026-11-24T12:00:00Z');

/** A clock that stands still until it is told. */
export class SetClock implements Clock {
  #now = noon;
  now(): number {
    return this.#now;
  }
  set(time: string): void {
    this.#now = Date.parse(time);
  }
  async sleep(): Promise<void> {
    this.#now += 1;
  }
}

/** The naive read model, brought up to the log whenever somebody waits for it. */
export class FollowingNaive implements LeaderboardReadModel {
  state: 'following' | 'stopped' | 'lost' = 'following';
  readonly naive = new NaiveLeaderboard();
  readonly #log: MemoryEventLog;
  readonly #cipher: SubjectCipher;
  #checkpoint: Checkpoint = {};

  constructor(log: MemoryEventLog, cipher: SubjectCipher) {
    this.#log = log;
    this.#cipher = cipher;
  }

  async catchUp(): Promise<void> {
    for (;;) {
      const page = await this.#log.read(this.#checkpoint, { categories });
      for (const event of await leaderboardEvents.decode(page.events, this.#cipher)) {
        this.naive.apply(event);
      }
      this.#checkpoint = page.checkpoint;
      if (page.end) return;
    }
  }

  async waitFor(checkpoint: Checkpoint): Promise<'reached' | 'late' | 'lost'> {
    if (this.state === 'lost') return 'lost';
    if (this.state === 'following') await this.catchUp();
    return coversAll(this.#checkpoint, checkpoint) ? 'reached' : 'late';
  }

  top: LeaderboardReadModel['top'] = async (query) => this.#lost() ?? this.naive.top(query);
  standing: LeaderboardReadModel['standing'] = async (query) =>
    this.#lost() ?? this.naive.standing(query);
  ranks: LeaderboardReadModel['ranks'] = async (query) => this.#lost() ?? this.naive.ranks(query);
  entries: LeaderboardReadModel['entries'] = async (places) =>
    this.#lost() ?? this.naive.entries(places);
  player: LeaderboardReadModel['player'] = async (userId) =>
    this.#lost() ?? this.naive.player(userId);
  history: LeaderboardReadModel['history'] = async (query) =>
    this.#lost() ?? this.naive.history(query);

  #lost(): Lost | undefined {
    return this.state === 'lost' ? { kind: 'lost' } : undefined;
  }
}

export interface TwinLeaderboard {
  readonly log: MemoryEventLog;
  readonly keys: SubjectKeyStore;
  readonly cipher: SubjectCipher;
  readonly clock: SetClock;
  readonly readModel: FollowingNaive;
  readonly boards: BoardDirectory;
  readonly leaderboard: Leaderboard;
  close(): Promise<void>;
}

/** The service over twins. With `storage`, it is one more process on that log. */
export async function twinLeaderboard(
  options: {
    readonly storage?: MemoryStorage;
    readonly faults?: MemoryLogFaults;
    readonly partitions?: number;
  } = {},
): Promise<TwinLeaderboard> {
  const clock = new SetClock();
  const log = memoryEventLog({ ...options, clock });
  const keys = memorySubjectKeyStore();
  const cipher = subjectCipher(keys);
  const readModel = new FollowingNaive(log, cipher);
  const boards = followBoards({ log, cipher, clock });
  const leaderboard = new Leaderboard({ log, cipher, keys, clock, readModel, boards });
  await leaderboard.ensureDefaultBoard();
  const close = async () => {
    await boards.close();
    await log.close();
  };
  return { log, keys, cipher, clock, readModel, boards, leaderboard, close };
}

/** Stored events, to say that nothing was written. */
export async function eventCount(log: MemoryEventLog): Promise<number> {
  return [...(await log.count()).values()].reduce((sum, count) => sum + count, 0);
}
