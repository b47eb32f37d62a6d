import Table from 'cli-table3';
import pc from 'picocolors';
import type { Failure } from './failure.ts';
import { type Io, type Sink, write } from './io.ts';

/** Writes results as JSON (one document, `--json`) or for people. */
export class Output {
  readonly json: boolean;
  readonly paint: ReturnType<typeof pc.createColors>;
  readonly #io: Pick<Io, 'out' | 'err' | 'env'>;

  constructor(io: Pick<Io, 'out' | 'err' | 'env'>, json: boolean) {
    this.#io = io;
    this.json = json;
    this.paint = pc.createColors(hasColors(io.out, io.env));
  }

  /** The result of a command: the value with `--json`, else what `show` prints. */
  async result(value: unknown, show: () => string): Promise<void> {
    await write(this.#io.out, `${this.json ? JSON.stringify(value, jsonValue, 2) : show()}\n`);
  }

  /** One line of a stream of results: NDJSON with `--json`. */
  async line(value: unknown, show: () => string): Promise<void> {
    await write(this.#io.out, `${this.json ? JSON.stringify(value, jsonValue) : show()}\n`);
  }

  /** Something to know that is no result; never mixed into the JSON, and left out with `--json`. */
  remark(text: string): void {
    if (this.json) return;
    const { dim } = pc.createColors(hasColors(this.#io.err, this.#io.env));
    this.#io.err.write(`${dim(text)}\n`);
  }

  /** The one line of a command that failed. */
  error({ message, code, exitCode, details }: Failure): void {
    const { red } = pc.createColors(hasColors(this.#io.err, this.#io.env));
    this.#io.err.write(
      this.json
        ? `${JSON.stringify({ error: message, code, exit_code: exitCode, ...details })}\n`
        : `${red('annals:')} ${message}\n`,
    );
  }

  table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
    const { bold } = this.paint;
    const drawn = new Table({
      head: head.map((name) => bold(name)),
      // No lines between rows: a long list stays readable.
      chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
      style: { head: [], border: this.paint.isColorSupported ? ['gray'] : [] },
    });
    for (const row of rows) drawn.push(row.map((cell) => shownCell(cell)));
    return drawn.toString();
  }
}

function hasColors(sink: Sink, env: Io['env']): boolean {
  return sink.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}

function shownCell(cell: unknown): string {
  return cell === undefined || cell === null ? '' : String(cell);
}

/** Maps and bytes have no JSON form of their own. */
function jsonValue(_member: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return value;
}

const counts = new Intl.NumberFormat('en-US');

/** `1,234,567` */
export function count(value: number): string {
  return counts.format(value);
}

/** `1 event`, `2 events` */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `2026-01-02T03:04:05.678Z`, or a dash. */
export function time(milliseconds: number | undefined): string {
  return milliseconds === undefined ? '-' : new Date(milliseconds).toISOString();
}

/** A span of time for people: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
}
