export {
  type ArchiveMeans,
  type ArchiveOutcome,
  archiveLimits,
  archivePeriods,
  type PeriodOutcome,
} from './archive/archive-periods.ts';
export { type ArchivedReadsMeans, archivedLeaderboardReadModel } from './archive/archived-reads.ts';
export { type BoardAndPeriod, nameOfPeriod } from './archive/period-digest.ts';
export { leaderboardReadModelWithoutArchive } from './archive/without-archive.ts';
export {
  type BoardDirectory,
  type BoardDirectoryMeans,
  boardDirectoryLimits,
  followBoards,
} from './board-directory.ts';
export type { ShownBoard } from './boards.ts';
export * from './events.ts';
export * from './input.ts';
export { limits } from './limits.ts';
export {
  type Late,
  type Overloaded,
  type Refused,
  UnexpectedAppendResultError,
  type Unknown,
} from './outcome.ts';
export { periodOf, periodStart } from './period.ts';
export type { PlayedMatch, PlayedMatches } from './player-history.ts';
export { leaderboardArchiveProjection, leaderboardProjection } from './projections/leaderboard.ts';
export {
  cassandraLeaderboardReadModel,
  type LiveCassandraGeneration,
} from './read-model/cassandra.ts';
export { type LeaderboardEvent, NaiveLeaderboard } from './read-model/naive.ts';
export * from './read-model/port.ts';
export { type LiveRedisGeneration, redisLeaderboardReadModel } from './read-model/redis.ts';
export { scanReadModel } from './read-model/scan.ts';
export { type LiveGeneration, sqliteLeaderboardReadModel } from './read-model/sqlite.ts';
export type { Read, ReadOptions, ReadRefusal } from './reads.ts';
export { recordScoresLimits, type ScoreResult } from './record-scores.ts';
export { Leaderboard, type LeaderboardMeans } from './service.ts';
export type { BoardSettings, BoardState, EntryStatus } from './state.ts';
export {
  boardStream,
  bucketOf,
  categories,
  playerStream,
  playerSubject,
  scoresStream,
} from './streams.ts';
