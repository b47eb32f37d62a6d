import type { Route } from '@annals/http';
import type { Leaderboard } from '@annals/leaderboard';
import { boardRoutes } from './board-routes.ts';
import { type LiveBoards, liveRoute } from './live.ts';
import { playerRoutes } from './player-routes.ts';
import { scoreRoutes } from './score-routes.ts';
import { standingRoutes } from './standing-routes.ts';

/** All routes of the leaderboard's HTTP API: one file for each part, one line for each file. */
export function leaderboardRoutes(service: Leaderboard, live: LiveBoards): readonly Route[] {
  return [
    ...scoreRoutes(service),
    ...standingRoutes(service),
    ...boardRoutes(service),
    ...playerRoutes(service),
    liveRoute(live),
  ];
}
