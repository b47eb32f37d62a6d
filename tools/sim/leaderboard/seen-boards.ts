import { covers } from '@annals/event-log';
import {
  type BoardInput,
  type LeaderboardEvent,
  leaderboardEvents,
  NaiveLeaderboard,
} from '@annals/leaderboard';
import { InvariantError } from '../trace.ts';
import { openLog } from '../weather.ts';
import { boards } from './clients.ts';
import { allEvents } from './invariants.ts';
import type { SeenBoard } from './readers.ts';
import { openKeys, type World } from './world.ts';

/**
 * Every board that somebody was shown is right: it shows each player who had a score at its `as_of`, with
 * the score of that moment or a later one. Later ones are right where several workers share the board,
 * for `as_of` is the checkpoint of the slowest.
 */
export async function checkSeen(world: World, seen: readonly SeenBoard[]): Promise<void> {
  const stored = await allEvents(openLog(world));
  const events = (await leaderboardEvents.decode(
    stored.filter(({ stream }) => !stream.startsWith('projection-')),
    openKeys(world).cipher,
  )) as LeaderboardEvent[];
  for (const shown of seen) await checkOne(events, shown);
}

async function checkOne(events: readonly LeaderboardEvent[], shown: SeenBoard): Promise<void> {
  const { board, period, asOf, rows } = shown;
  const { order } = boards[board] as BoardInput;
  const where = `${board} ${period} as of ${JSON.stringify(asOf)}`;
  const naive = new NaiveLeaderboard();
  const isSeen = (event: LeaderboardEvent) => covers(asOf, event.partition, event.position);
  for (const event of events) if (isSeen(event)) naive.apply(event);
  const query = { board, period, order, limit: 1_000, offset: 0, ties: 'standard' } as const;
  const top = await naive.top(query);
  if (top.kind !== 'answer') throw new InvariantError('seen', 'the naive model is never lost');
  const allowed = new Map(top.rows.map(({ userId, score }) => [userId, new Set([score])]));
  const had = new Set(allowed.keys());
  for (const event of events) {
    if (isSeen(event)) continue;
    naive.apply(event);
    if (event.type !== 'score-recorded' || event.data.board !== board) continue;
    const { user_id: userId } = event.data;
    const place = { board, period, order, userId, around: 0, ties: 'standard' } as const;
    const after = await naive.standing(place);
    if (after.kind !== 'answer' || !after.row) continue;
    allowed.set(userId, (allowed.get(userId) ?? new Set()).add(after.row.score));
  }
  for (const { userId, score } of rows) {
    had.delete(userId);
    if (!allowed.get(userId)?.has(score)) {
      throw new InvariantError('seen', `${where} showed ${userId} with ${score}`);
    }
  }
  if (had.size > 0) throw new InvariantError('seen', `${where} did not show ${[...had]}`);
}
