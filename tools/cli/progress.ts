import { Presets, SingleBar } from 'cli-progress';
import type { Streams } from './output.ts';

/** Progress of long work: a bar with rate and ETA on a terminal, a line every few seconds elsewhere. */
export interface ProgressBar {
  update(done: number, total: number): void;
  stop(): void;
}

const lineEveryMs = 5_000;

export function progressBar(streams: Streams, what: string, quiet: boolean): ProgressBar {
  if (quiet) return { update: () => undefined, stop: () => undefined };
  return streams.err.isTTY ? terminalBar(streams, what) : plainLines(streams, what);
}

function terminalBar(streams: Streams, what: string): ProgressBar {
  const startedAt = Date.now();
  const bar = new SingleBar(
    {
      stream: streams.err,
      format: `${what} {bar} {percentage}% | {value}/{total} | {rate} events/s | ETA {eta_formatted}`,
      hideCursor: true,
      etaBuffer: 50,
    },
    Presets.shades_classic,
  );
  bar.start(0, 0, { rate: 0 });
  return {
    update: (done, total) => {
      bar.setTotal(Math.max(done, total));
      bar.update(done, { rate: ratePerSecond(done, startedAt) });
    },
    stop: () => bar.stop(),
  };
}

function plainLines(streams: Streams, what: string): ProgressBar {
  const startedAt = Date.now();
  let lastAt = startedAt;
  return {
    update: (done, total) => {
      if (Date.now() - lastAt < lineEveryMs) return;
      lastAt = Date.now();
      streams.err.write(`${what}: ${done}/${total}, ${ratePerSecond(done, startedAt)} events/s\n`);
    },
    stop: () => undefined,
  };
}

function ratePerSecond(done: number, startedAt: number): number {
  return Math.round((done * 1_000) / Math.max(1, Date.now() - startedAt));
}
