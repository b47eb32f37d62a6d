export { archiveRepairCommand, leaderboardErrors, repairCommand } from './errors.ts';
export { LiveBoards, type LiveMeans, liveLimits } from './live.ts';
export { leaderboardRoutes } from './routes.ts';
