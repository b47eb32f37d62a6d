import { columnsOf, csvRecords } from './csv-records.ts';
import type { FileText } from './file-text.ts';
import { reconciliationLimits as limits } from './limits.ts';
import { type BadLine, bad, type MappedLine, ReconciliationFileError } from './mapped-line.ts';

/** How the lines of one kind of CSV file become rows. */
export interface CsvMapping<Name extends string, Row> {
  readonly delimiter: string;
  readonly required: readonly Name[];
  readonly optional: readonly Name[];
  /** `field` is empty for a column that is not there. */
  readonly rowOf: (field: (name: Name) => string, line: number) => Row | BadLine;
}

/**
 * The rows of a CSV file as they come, with the lines that are none. Throws ReconciliationFileError for another header,
 * and for a file that is mostly bad lines.
 */
export async function* csvRows<Name extends string, Row extends object>(
  file: FileText,
  { delimiter, required, optional, rowOf }: CsvMapping<Name, Row>,
): AsyncGenerator<readonly MappedLine<Row>[]> {
  let columns: ReadonlyMap<Name, number> | undefined;
  let width = 0;
  let badLines = 0;
  for await (const batch of csvRecords(file, delimiter)) {
    const mapped: MappedLine<Row>[] = [];
    for (const record of batch) {
      if (!columns) {
        columns = columnsOf(record, required, optional);
        width = record.kind === 'record' ? record.fields.length : 0;
        continue;
      }
      const line = mapRecord(record, columns, width, rowOf);
      if (line.kind === 'bad') badLines += 1;
      mapped.push(line);
    }
    if (badLines > limits.badLinesMax) {
      throw new ReconciliationFileError(
        'too-many-bad-lines',
        `more than ${limits.badLinesMax} lines are bad`,
      );
    }
    if (mapped.length > 0) yield mapped;
  }
  if (!columns) throw new ReconciliationFileError('empty-file', 'the file has no header');
}

function mapRecord<Name extends string, Row extends object>(
  record: { kind: 'record'; line: number; fields: readonly string[] } | BadLine,
  columns: ReadonlyMap<Name, number>,
  width: number,
  rowOf: CsvMapping<Name, Row>['rowOf'],
): MappedLine<Row> {
  if (record.kind === 'bad') return record;
  const { line, fields } = record;
  if (fields.length !== width) {
    return bad(line, 'wrong-columns', `has ${fields.length} fields, the header has ${width}`);
  }
  const field = (name: Name) => fields[columns.get(name) ?? -1] ?? '';
  const row = rowOf(field, line);
  return isBad(row) ? row : { kind: 'row', line, row };
}

function isBad(row: object): row is BadLine {
  return 'kind' in row && row.kind === 'bad';
}
