import { type Authenticator, createServer, type HttpServer } from '@annals/http';
import type { Leaderboard } from '@annals/leaderboard';
import { LiveBoards, type LiveMeans, leaderboardErrors, leaderboardRoutes } from '../index.ts';

/** The API alone, over any leaderboard: `onChange` tells when its read model may answer otherwise, `head` where its log ends. */
export function leaderboardServer(
  service: Leaderboard,
  authenticator: Authenticator,
  { clock, onChange, head }: Omit<LiveMeans, 'service'>,
): Promise<HttpServer> {
  const live = new LiveBoards({ service, clock, onChange, head });
  return createServer({
    api: { title: 'Leaderboard', version: '1.0.0' },
    routes: leaderboardRoutes(service, live),
    errors: [leaderboardErrors],
    authenticator,
    closing: [{ name: 'live boards', close: () => live.close() }],
  });
}
