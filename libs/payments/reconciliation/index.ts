export { type BankRow, bankCsvRows } from './bank-csv.ts';
export { type BankCompared, compareBank } from './bank-days.ts';
export { statementCategory, statementEvents } from './bank-statement-events.ts';
export { type StatementFormat, statementFormats } from './bank-statements.ts';
export {
  type BooksComparison,
  booksComparison,
  type ComparedBooks,
  sqliteBooksComparison,
  type WalletCells,
  type WalletDifference,
  walletBalances,
} from './books-comparison.ts';
export { cassandraBooksComparison } from './books-comparison-cassandra.ts';
export {
  type BreakClass,
  breakClasses,
  breakClassTable,
  type Treatment,
} from './break-classes.ts';
export { camt053Rows } from './camt053.ts';
export { type BookMovement, bankBook, clearingMovements } from './clearing-movements.ts';
export {
  type ComparedFile,
  compareSettlement,
  compareStatement,
  walletsBook,
} from './compare-files.ts';
export { mendingMovements, movementsOf } from './correcting-entry.ts';
export type { FilesMeans } from './day-files.ts';
export * from './decide.ts';
export {
  type CorrectingEntry,
  type RecordedSettlementEvent,
  type SettlementEvent,
  settlementEvents,
  settlementStream,
} from './events.ts';
export { type FileEncoding, FileText } from './file-text.ts';
export { reconciliationLimits } from './limits.ts';
export {
  type BadLine,
  type BadLineReason,
  type FileErrorCode,
  type MappedLine,
  type MappedRow,
  ReconciliationFileError,
} from './mapped-line.ts';
export { type Break, matchKey } from './match-key.ts';
export {
  type Movement,
  type MovementStatus,
  movementOfBank,
  movementOfSettlement,
} from './movement.ts';
export {
  type MovementPlace,
  type MovementsReadModel,
  sqliteMovementsReadModel,
} from './movements.ts';
export {
  type NightMeans,
  type NightReport,
  nightReport,
  type ProviderNight,
  reconcileNight,
  troublesOf,
} from './night.ts';
export { nightCsv, nightDocument, nightHtml, reportsOf } from './night-report.ts';
export {
  type QueuedBreak,
  type QueueQuery,
  type QueuesReadModel,
  reconciliationProjection,
  sqliteQueuesReadModel,
  waitingBreaks,
} from './queues.ts';
export { type Reconciled, type Reconciling, reconcile, waitingOf } from './reconcile.ts';
export {
  cassandraMovementsReadModel,
  cassandraQueuesReadModel,
} from './reconciliation-cassandra.ts';
export { type ReconciliationReport, reportCsv, reportHtml, reportOf } from './report.ts';
export {
  change,
  type DayFile,
  ReconciliationLogError,
  type ReconciliationMeans,
  readDay,
  reconcileDay,
} from './service.ts';
export { type SettlementRow, settlementRows } from './settlement-csv.ts';
export {
  breakMoves,
  breakStates,
  type Settled,
  type SettlementDay,
  type TrackedBreak,
} from './state.ts';
