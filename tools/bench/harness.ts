/** One figure with what it is measured in. */
export interface Figure {
  readonly value: number;
  readonly unit: string;
}

/** One line of the results: ours beside what a user would pick instead, in the same run. */
export interface Comparison {
  readonly work: string;
  readonly ours: Figure;
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
  readonly name: string;
  run(scale: Scale): Promise<readonly Comparison[]>;
}

/** How much work: `full` is what results.md is made from, `quick` shows that every case runs. */
export interface Scale {
  readonly rounds: number;
  /** Milliseconds of one timed stretch. */
  readonly stretchMs: number;
  /** Events and players of the big cases. */
  readonly million: number;
}

export const scales = {
  full: { rounds: 5, stretchMs: 3_000, million: 1_000_000 },
  quick: { rounds: 1, stretchMs: 300, million: 20_000 },
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

/** Runs `once` over and over for `stretchMs` and tells how many a second it did. */
export async function ratePerSecond(
  stretchMs: number,
  once: () => unknown | Promise<unknown>,
): Promise<number> {
  const started = performance.now();
  let done = 0;
  let elapsed = 0;
  while (elapsed < stretchMs) {
    await once();
    done += 1;
    elapsed = performance.now() - started;
  }
  return (done * 1_000) / elapsed;
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
