import { Presets, SingleBar } from 'cli-progress';
import type { Io } from './io.ts';
import { count, duration } from './output.ts';

/** Progress of long work: a bar with rate and ETA on a terminal, a line every few seconds elsewhere. */
export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

const lineEveryMs = 5_000;

/** `unit` in the plural: what is counted. With `quiet` (JSON) nothing is shown. */
export function progress(
  io: Pick<Io, 'err' | 'clock'>,
  what: string,
  options: { readonly unit: string; readonly quiet: boolean },
): Progress {
  if (options.quiet) return { update: () => undefined, stop: () => undefined };
  const rate = rateFrom(io.clock);
  return io.err.isTTY ? bar(io, what, options.unit, rate) : lines(io, what, options.unit, rate);
}

type Rate = (done: number) => number;

/** Events per second since the first update: what was done before (a resumed rebuild) does not count. */
function rateFrom(clock: Io['clock']): Rate {
  let first: { done: number; at: number } | undefined;
  return (done) => {
    first ??= { done, at: clock.now() };
    const elapsedMs = clock.now() - first.at;
    return elapsedMs <= 0 ? 0 : ((done - first.done) * 1_000) / elapsedMs;
  };
}

function eta(done: number, total: number, rate: number): string {
  return rate <= 0 ? '-' : duration(Math.max(0, total - done) / rate);
}

function bar(io: Pick<Io, 'err'>, what: string, unit: string, rate: Rate): Progress {
  const drawn = new SingleBar(
    {
      stream: io.err,
      format: `${what} {bar} {percentage}% | {done}/{all} ${unit} | {rate} ${unit}/s | ETA {left}`,
      hideCursor: true,
      // The command ends by its own signal, and stops the bar on its way.
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  drawn.start(1, 0, { rate: '-', left: '-', done: '0', all: '-' });
  return {
    update: (done, total) => {
      const now = rate(done);
      const most = Math.max(done, total);
      drawn.setTotal(Math.max(1, most));
      drawn.update(done, {
        rate: count(Math.round(now)),
        left: eta(done, most, now),
        done: count(done),
        all: count(most),
      });
    },
    stop: () => drawn.stop(),
  };
}

function lines(
  { err, clock }: Pick<Io, 'err' | 'clock'>,
  what: string,
  unit: string,
  rate: Rate,
): Progress {
  let lastAt = clock.now();
  return {
    update: (done, total) => {
      const now = rate(done);
      if (clock.now() - lastAt < lineEveryMs) return;
      lastAt = clock.now();
      const most = Math.max(done, total);
      err.write(
        `${what}: ${count(done)}/${count(most)} ${unit}, ${count(Math.round(now))} ${unit}/s, ETA ${eta(done, most, now)}\n`,
      );
    },
    stop: () => undefined,
  };
}
