import type { PreparedFolders } from './data/prepared-folders.ts';

/** One figure with what it is measured in. */
export interface Figure {
  readonly value: number;
  readonly unit: string;
}

/** One line of the results: ours beside what a user would pick instead, in the same run. */
export interface Comparison {
  readonly work: string;
  /** Absent where the case failed; `remark` says how. */
  readonly ours?: Figure;
  readonly peer: string;
  readonly theirs?: Figure;
  /** Ours divided by theirs where more is better, theirs by ours where less is; the median over rounds. */
  readonly ratio?: number;
  /** What was promised, in words; `met` says whether this run shows it. */
  readonly reach: string;
  readonly met?: boolean;
  readonly remark?: string;
}

export interface BenchCase {
  /** What `--only` takes. */
  readonly name: string;
  readonly summary: string;
  run(bench: Bench): Promise<readonly Comparison[]>;
}

/** What a case is given. */
export interface Bench {
  readonly scale: Scale;
  /** Says on the way what is being done. */
  readonly tell: (line: string) => void;
  readonly prepared: PreparedFolders;
}

/** How much work: `full` is what results.md is made from, `quick` shows that every case runs. */
export interface Scale {
  /** Of short stretches, so that a disk that is slow for seconds hits both sides of many rounds. */
  readonly rounds: number;
  /** Milliseconds of one timed stretch. */
  readonly stretchMs: number;
  /** Rounds of the cases that take seconds each time. */
  readonly longRounds: number;
  /** Milliseconds of one stretch of load over HTTP. */
  readonly loadMs: number;
  /** Events and players of the big cases. */
  readonly million: number;
  /** Whether peers that must be installed from a registry take part. */
  readonly installs: boolean;
}

export const scales = {
  full: {
    rounds: 15,
    stretchMs: 1_000,
    longRounds: 3,
    loadMs: 5_000,
    million: 1_000_000,
    installs: true,
  },
  quick: {
    rounds: 1,
    stretchMs: 300,
    longRounds: 1,
    loadMs: 1_000,
    million: 20_000,
    installs: false,
  },
} as const satisfies { readonly [name: string]: Scale };

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which the share `q` of all lies (nearest rank). */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1));
  return sorted[at] ?? Number.NaN;
}

/**
 * Hands out `items` to `callers` that each do one after the other, until `stretchMs` are over or no
 * item is left, and tells how many a second were done.
 */
export async function ratePerSecond<T>(
  stretchMs: number,
  items: readonly T[],
  once: (item: T) => unknown | Promise<unknown>,
  callers = 1,
): Promise<number> {
  const queue = items.values();
  const started = performance.now();
  let done = 0;
  const caller = async () => {
    for (const item of queue) {
      const pending = once(item);
      // What answers at once is not made to wait for a turn of the event loop.
      if (pending instanceof Promise) await pending;
      done += 1;
      if (performance.now() - started >= stretchMs) return;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (done * 1_000) / (performance.now() - started);
}

/**
 * Measures two ways in turn, A B B A …, so that a drift of the machine's speed hits both; the ratio
 * is taken round by round.
 */
export async function alternate(
  rounds: number,
  ours: () => Promise<number>,
  theirs: () => Promise<number>,
): Promise<{ ours: number; theirs: number; ratio: number }> {
  const a: number[] = [];
  const b: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 0) {
      a.push(await ours());
      b.push(await theirs());
    } else {
      b.push(await theirs());
      a.push(await ours());
    }
  }
  const ratios = a.map((value, round) => value / (b[round] ?? Number.NaN));
  return { ours: median(a), theirs: median(b), ratio: median(ratios) };
}
