import type { LogProgress } from './open-log.ts';

/** Between two lines. */
const lineMs = 2_000;

/** Says how far a replica has come, once in a while; nothing when it is quick. */
export function catchUpLines(say: (line: string) => void): (progress: LogProgress) => void {
  let saidAt = performance.now();
  return ({ records, recordsTotal }) => {
    const now = performance.now();
    if (now - saidAt < lineMs || records >= recordsTotal) return;
    saidAt = now;
    say(`  catching up with the log: ${records} of ${recordsTotal} records`);
  };
}
