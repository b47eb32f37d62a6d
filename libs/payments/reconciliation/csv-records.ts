import { parse } from 'csv-parse/sync';
import type { FileText } from './file-text.ts';
import { reconciliationLimits as limits } from './limits.ts';
import { type BadLine, bad, ReconciliationFileError } from './mapped-line.ts';

/** One record of a CSV file: its fields as they stand, and the line it begins on. */
export interface CsvRecord {
  readonly kind: 'record';
  readonly line: number;
  readonly fields: readonly string[];
}

/** The text of one record that may be whole: its quotes come in pairs. */
interface Framed {
  readonly line: number;
  readonly lines: readonly string[];
}

/**
 * Records of a CSV file (RFC 4180), a batch at a time. A line that is no record is reported, and the next one
 * begins a record again: also where a quote is never closed, which would otherwise swallow the rest.
 */
export async function* csvRecords(
  file: FileText,
  delimiter: string,
): AsyncGenerator<readonly (CsvRecord | BadLine)[]> {
  const framing = new Framing(delimiter);
  for await (const text of file.text()) {
    framing.add(text);
    for (const batch of framing.batches(false)) yield batch;
  }
  framing.add('\n');
  for (const batch of framing.batches(true)) yield batch;
}

class Framing {
  readonly #delimiter: string;
  #rest = '';
  #lines: string[] = [];
  /** The line number of the first of `#lines`. */
  #first = 1;
  /** Fields of the first record. */
  #width: number | undefined;

  constructor(delimiter: string) {
    this.#delimiter = delimiter;
  }

  add(text: string): void {
    const lines = `${this.#rest}${text}`.split('\n');
    this.#rest = lines.pop() ?? '';
    // A line without an end must not fill the memory: what is cut off makes it too long all the same.
    if (this.#rest.length > 2 * limits.lineCharsMax) {
      this.#rest = this.#rest.slice(0, 2 * limits.lineCharsMax);
    }
    for (const line of lines) this.#lines.push(line);
  }

  /** `ended`: no more text comes. */
  *batches(ended: boolean): Generator<readonly (CsvRecord | BadLine)[]> {
    const lines = this.#lines;
    let at = 0;
    let batch: Framed[] = [];
    while (at < lines.length) {
      const end = this.#endOf(lines, at, ended);
      if (end === undefined) break;
      batch.push({ line: this.#first + at, lines: lines.slice(at, end) });
      at = end;
      // A record over several lines is parsed by itself: if it is none, its second line is tried next.
      const last = batch.at(-1);
      if (last && last.lines.length > 1) {
        batch.pop();
        yield this.#parseAll(batch);
        batch = [];
        const record = this.#parseSeveral(last);
        if (record.kind === 'bad') at = end - last.lines.length + 1;
        yield [record];
      } else if (batch.length >= limits.batchRecords) {
        yield this.#parseAll(batch);
        batch = [];
      }
    }
    if (batch.length > 0) yield this.#parseAll(batch);
    this.#lines = lines.slice(at);
    this.#first += at;
  }

  /** Where the record that begins at `at` ends; undefined while that can't be told. */
  #endOf(lines: readonly string[], at: number, ended: boolean): number | undefined {
    let open = false;
    for (let index = at; index < at + limits.recordLinesMax; index += 1) {
      const line = lines[index];
      if (line === undefined) return ended ? at + 1 : undefined;
      if (oddQuotes(line)) open = !open;
      if (!open) return index + 1;
    }
    return at + 1;
  }

  #parseAll(batch: readonly Framed[]): (CsvRecord | BadLine)[] {
    const filled = batch.filter(({ lines: [line = ''] }) => line !== '' && line !== '\r');
    const sound = filled.every(({ lines: [line = ''] }) => isSound(line));
    if (sound) {
      try {
        const all = this.#parse(filled.map(({ lines: [line = ''] }) => withoutCr(line)).join('\n'));
        if (all.length === filled.length) {
          this.#width ??= all[0]?.length;
          return all.map((fields, index) => {
            return { kind: 'record', line: filled[index]?.line ?? 0, fields };
          });
        }
      } catch {
        // One of them is broken: each is parsed by itself to find out which.
      }
    }
    return filled.map((framed) => this.#parseOne(framed));
  }

  /** Two broken quotes lines apart may look like one record: then it has not as many fields as the header. */
  #parseSeveral(framed: Framed): CsvRecord | BadLine {
    const record = this.#parseOne(framed);
    if (record.kind === 'bad') return record;
    this.#width ??= record.fields.length;
    if (record.fields.length === this.#width) return record;
    return bad(record.line, 'broken-quotes', 'a quote is not closed on it');
  }

  #parseOne({ line, lines }: Framed): CsvRecord | BadLine {
    const text = withoutCr(lines.join('\n'));
    if (lines.some((one) => one.length > limits.lineCharsMax)) {
      return bad(line, 'line-too-long', `has more than ${limits.lineCharsMax} characters`);
    }
    if (text.includes('\uFFFD')) return bad(line, 'wrong-encoding', 'has bytes that mean nothing');
    try {
      const [fields, second] = this.#parse(text);
      if (fields && !second) return { kind: 'record', line, fields };
    } catch {
      // Said below.
    }
    return bad(line, 'broken-quotes', 'its quotes are not those of a CSV record');
  }

  #parse(text: string): string[][] {
    return parse(text, {
      delimiter: this.#delimiter,
      record_delimiter: '\n',
      relax_column_count: true,
    });
  }
}

function isSound(line: string): boolean {
  return line.length <= limits.lineCharsMax && !line.includes('\uFFFD');
}

function oddQuotes(line: string): boolean {
  let odd = false;
  for (let at = line.indexOf('"'); at >= 0; at = line.indexOf('"', at + 1)) odd = !odd;
  return odd;
}

function withoutCr(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

/** Where each column stands. Throws ReconciliationFileError where one is missing or named twice. */
export function columnsOf<Name extends string>(
  header: CsvRecord | BadLine,
  required: readonly Name[],
  optional: readonly Name[],
): ReadonlyMap<Name, number> {
  const wrong = (detail: string) => new ReconciliationFileError('wrong-header', detail);
  if (header.kind === 'bad') throw wrong(`the header ${header.detail}`);
  const names = header.fields.map((name) => name.trim());
  const columns = new Map<Name, number>();
  for (const name of [...required, ...optional]) {
    const at = names.indexOf(name);
    if (at >= 0) columns.set(name, at);
    else if (required.includes(name)) throw wrong(`the header has no column ${name}`);
    if (at !== names.lastIndexOf(name)) throw wrong(`the header has two columns ${name}`);
  }
  return columns;
}
