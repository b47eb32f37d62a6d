import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reconciliationLimits as limits } from './limits.ts';

/**
 * Sorts any number of lines in little memory: sorted runs in scratch files, then one merge of them. Fewer lines than one
 * run touch no disk. Use it with `await using`, which removes the files.
 */
export class SortedLines implements AsyncDisposable {
  readonly #parent: string;
  readonly #runRows: number;
  /** Of its own, from the first run that is written. */
  #folder: string | undefined;
  readonly #files: FileHandle[] = [];
  #lines: string[] = [];
  #sorted = false;

  /** Its folder is made in `parent`. */
  constructor(parent: string = tmpdir(), runRows: number = limits.runRows) {
    this.#parent = parent;
    this.#runRows = runRows;
  }

  async add(lines: readonly string[]): Promise<void> {
    if (this.#sorted) throw new Error('lines were added after the merge had begun');
    for (const line of lines) this.#lines.push(line);
    if (this.#lines.length >= this.#runRows) await this.#writeRun();
  }

  /** All lines in the order of their characters, in batches. Once only. */
  async *merged(): AsyncGenerator<readonly string[]> {
    this.#sorted = true;
    this.#lines.sort(byCharacters);
    const runs: Run[] = [new LinesInMemory(this.#lines)];
    for (const file of this.#files) runs.push(new LinesInFile(file));
    this.#lines = [];
    const heap: Run[] = [];
    for (const run of runs) if (await run.fill()) heap.push(run);
    heap.sort((a, b) => byCharacters(a.line, b.line));
    let batch: string[] = [];
    for (let top = heap[0]; top; top = heap[0]) {
      batch.push(top.line);
      if (!top.advance() && !(await top.fill())) {
        const last = heap.pop();
        if (last && last !== top) heap[0] = last;
      }
      sink(heap);
      if (batch.length >= mergedBatchLines) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      for (const file of this.#files.splice(0)) await file.close();
    } finally {
      if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
    }
  }

  async #writeRun(): Promise<void> {
    const lines = this.#lines.sort(byCharacters);
    this.#lines = [];
    this.#folder ??= await mkdtemp(join(this.#parent, 'annals-reconcile-'));
    const file = await open(join(this.#folder, `run-${this.#files.length}`), 'wx+', 0o600);
    this.#files.push(file);
    for (let from = 0; from < lines.length; from += writtenLines) {
      await file.appendFile(`${lines.slice(from, from + writtenLines).join('\n')}\n`);
    }
  }
}

const mergedBatchLines = 1_000;
const writtenLines = 5_000;

function byCharacters(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

interface Run {
  readonly line: string;
  /** To the next line that is in memory; false where none is. */
  advance(): boolean;
  /** Reads more lines and stands at the first; false at the end. */
  fill(): Promise<boolean>;
}

class LinesInMemory implements Run {
  readonly #lines: readonly string[];
  #at = -1;
  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }
  get line(): string {
    return this.#lines[this.#at] ?? '';
  }
  advance(): boolean {
    this.#at += 1;
    return this.#at < this.#lines.length;
  }
  async fill(): Promise<boolean> {
    return this.#at < 0 && this.advance();
  }
}

class LinesInFile implements Run {
  readonly #file: FileHandle;
  readonly #buffer = Buffer.allocUnsafe(limits.runReadBytes);
  readonly #decoder = new TextDecoder();
  #position = 0;
  #rest = '';
  #lines: string[] = [];
  #at = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  get line(): string {
    return this.#lines[this.#at] ?? '';
  }

  advance(): boolean {
    this.#at += 1;
    return this.#at < this.#lines.length;
  }

  async fill(): Promise<boolean> {
    this.#lines = [];
    this.#at = 0;
    while (this.#lines.length === 0) {
      const { bytesRead } = await this.#file.read(
        this.#buffer,
        0,
        this.#buffer.length,
        this.#position,
      );
      if (bytesRead === 0) return false;
      this.#position += bytesRead;
      const text = this.#decoder.decode(this.#buffer.subarray(0, bytesRead), { stream: true });
      this.#lines = `${this.#rest}${text}`.split('\n');
      this.#rest = this.#lines.pop() ?? '';
    }
    return true;
  }
}

/** Puts the first run of the heap where it belongs. */
function sink(heap: Run[]): void {
  const run = heap[0];
  if (!run) return;
  const { line } = run;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    let least = heap[child];
    if (!least) break;
    const right = heap[child + 1];
    if (right && right.line < least.line) {
      least = right;
      child += 1;
    }
    if (line <= least.line) break;
    heap[at] = least;
    at = child;
  }
  heap[at] = run;
}
