export { type BankRow, bankCsvRows } from './bank-csv.ts';
export { camt053Rows } from './camt053.ts';
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
export { type SettlementRow, settlementRows } from './settlement-csv.ts';
