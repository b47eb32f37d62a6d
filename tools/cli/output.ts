import Table from 'cli-table3';
import pc from 'picocolors';

/** Where a command writes: results to `out`, progress and remarks to `err`, so that pipes stay clean. */
export interface Streams {
  readonly out: NodeJS.WriteStream;
  readonly err: NodeJS.WriteStream;
}

/** Writes results as JSON (one document, `--json`) or for people. */
export class Output {
  readonly json: boolean;
  readonly #streams: Streams;

  constructor(streams: Streams, json: boolean) {
    this.#streams = streams;
    this.json = json;
  }

  /** The result of a command: the value with `--json`, else what `show` prints. */
  result(value: unknown, show: () => string): void {
    this.#streams.out.write(`${this.json ? toJson(value) : show()}\n`);
  }

  /** One line of a stream of results: NDJSON with `--json`. */
  line(value: unknown, show: () => string): void {
    this.#streams.out.write(`${this.json ? JSON.stringify(value, jsonValue) : show()}\n`);
  }

  /** Something to know that is no result; never mixed into the JSON. */
  remark(text: string): void {
    this.#streams.err.write(`${pc.dim(text)}\n`);
  }

  error(text: string): void {
    this.#streams.err.write(
      this.json ? `${JSON.stringify({ error: text })}\n` : `${pc.red('annals:')} ${text}\n`,
    );
  }
}

export function table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const drawn = new Table({ head: head.map((name) => pc.bold(name)), style: { head: [] } });
  for (const row of rows) drawn.push(row.map((cell) => String(cell ?? '')));
  return drawn.toString();
}

function toJson(value: unknown): string {
  return JSON.stringify(value, jsonValue, 2);
}

/** Maps and bytes have no JSON form of their own. */
function jsonValue(_member: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return value;
}
