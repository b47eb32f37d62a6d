export { type BackupProgress, type BackupResult, backupLog } from './backup.ts';
export { checkIntegrity, type IntegrityReport } from './integrity.ts';
export { logFileName, logFormatVersion, type WriterSettings } from './log-file.ts';
export {
  type SqliteEventLog,
  type SqliteEventLogOptions,
  sqliteEventLog,
} from './sqlite-event-log.ts';
export { sqliteLimits } from './sqlite-limits.ts';
export type { QueueLimits, WriterStatistics } from './writer-client.ts';
