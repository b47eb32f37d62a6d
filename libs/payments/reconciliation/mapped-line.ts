/** What is wrong with a line. Stable: reports and queues show it. */
export type BadLineReason =
  | 'broken-quotes'
  | 'wrong-columns'
  | 'line-too-long'
  | 'wrong-encoding'
  | 'missing-field'
  | 'wrong-amount'
  | 'wrong-time'
  | 'unknown-currency'
  | 'net-differs'
  | 'wrong-sign'
  | 'wrong-entry';

/** A line that says nothing that can be used; those after it go on. */
export interface BadLine {
  readonly kind: 'bad';
  /** Counted from 1, the header is a line too. */
  readonly line: number;
  readonly reason: BadLineReason;
  readonly detail: string;
}

export interface MappedRow<Row> {
  readonly kind: 'row';
  readonly line: number;
  readonly row: Row;
}

export type MappedLine<Row> = MappedRow<Row> | BadLine;

export function bad(line: number, reason: BadLineReason, detail: string): BadLine {
  return { kind: 'bad', line, reason, detail };
}

export type FileErrorCode =
  | 'wrong-header'
  | 'file-too-large'
  | 'too-many-bad-lines'
  | 'broken-xml'
  | 'empty-file';

/** The file is of another kind, or broken in a way that leaves nothing to go on with: none of it counts. */
export class ReconciliationFileError extends Error {
  readonly code: FileErrorCode;
  constructor(code: FileErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ReconciliationFileError';
    this.code = code;
  }
}
