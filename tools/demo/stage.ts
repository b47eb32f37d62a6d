import { Presets, SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import pc from 'picocolors';

/** Where the demo is played: results to people on `out`, progress on `err`. Silent for `--json`. */
export class Stage {
  readonly #out: NodeJS.WriteStream;
  readonly #err: NodeJS.WriteStream;
  readonly #silent: boolean;
  readonly #paint: ReturnType<typeof pc.createColors>;

  constructor(out: NodeJS.WriteStream, err: NodeJS.WriteStream, options: { silent: boolean }) {
    this.#out = out;
    this.#err = err;
    this.#silent = options.silent;
    const colors = out.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
    this.#paint = pc.createColors(colors);
  }

  act(title: string): void {
    this.#write(`\n${this.#paint.bold(title)}\n`);
  }

  say(text: string): void {
    this.#write(`  ${text.replaceAll('\n', '\n  ')}\n`);
  }

  /** A promise that was tried, and held or not. */
  verdict(held: boolean, text: string): void {
    const { green, red } = this.#paint;
    this.say(held ? `${green('✓')} ${text}` : `${red('✗')} ${text}`);
  }

  command(text: string): void {
    this.say(this.#paint.cyan(`$ ${text}`));
  }

  quote(text: string): void {
    if (text) this.say(this.#paint.dim(printable(text.trimEnd()).replace(/^/gm, '  ')));
  }

  table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
    const drawn = new Table({
      head: head.map((name) => this.#paint.bold(name)),
      // No lines between rows: a long list stays readable.
      chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
      style: { head: [], border: this.#paint.isColorSupported ? ['gray'] : [] },
      colAligns: head.map((name) => (textColumns.has(name) ? 'left' : 'right')),
    });
    for (const row of rows) drawn.push(row.map((cell) => printable(String(cell))));
    this.say(drawn.toString());
  }

  /** A bar with the rate on a terminal; elsewhere a line every few seconds. */
  progress(what: string, unit: string, total: number): Progress {
    if (this.#silent) return { add: () => undefined, stop: () => undefined };
    return this.#err.isTTY
      ? bar(this.#err, what, unit, total)
      : lines(this.#err, what, unit, total);
  }

  #write(text: string): void {
    if (!this.#silent) this.#out.write(text);
  }
}

export interface Progress {
  add(done: number): void;
  stop(): void;
}

const textColumns = new Set(['player', 'id']);
const lineEveryMs = 5_000;

function bar(err: NodeJS.WriteStream, what: string, unit: string, total: number): Progress {
  const drawn = new SingleBar(
    {
      stream: err,
      format: `  ${what} {bar} {percentage}% | {done}/${count(total)} ${unit} | {rate} ${unit}/s | ETA {eta_formatted}`,
      hideCursor: true,
      // The demo ends by its own signals, and stops the bar on its way.
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  const rate = rateFrom();
  let done = 0;
  drawn.start(total, 0, { done: '0', rate: '-' });
  return {
    add: (more) => {
      done += more;
      drawn.update(done, { done: count(done), rate: count(rate(done)) });
    },
    stop: () => drawn.stop(),
  };
}

function lines(err: NodeJS.WriteStream, what: string, unit: string, total: number): Progress {
  const rate = rateFrom();
  let done = 0;
  let lastAt = performance.now();
  return {
    add: (more) => {
      done += more;
      if (performance.now() - lastAt < lineEveryMs) return;
      lastAt = performance.now();
      err.write(
        `  ${what}: ${count(done)}/${count(total)} ${unit}, ${count(rate(done))} ${unit}/s\n`,
      );
    },
    stop: () => undefined,
  };
}

function rateFrom(): (done: number) => number {
  const startedAt = performance.now();
  return (done) => Math.round((done * 1_000) / Math.max(1, performance.now() - startedAt));
}

const counts = new Intl.NumberFormat('en-US');

/** `1,234,567` */
export function count(value: number): string {
  return counts.format(value);
}

/** `0.4 s`, `12 s` */
export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters being replaced.
const controlCharacters = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g;

/** Text of a service, safe on a terminal: an escape sequence in a name must not run. */
function printable(text: string): string {
  return text.replace(controlCharacters, (found) => {
    return `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
