import { cpus, totalmem } from 'node:os';
import type { Comparison, Figure } from './harness.ts';

/** The results as a Markdown page: machine, date, and one table. */
export function markdownReport(
  comparisons: readonly Comparison[],
  at: Date,
  scale: string,
): string {
  const cores = cpus();
  const machine = `${cores.length} × ${cores[0]?.model ?? 'unknown'}, ${gib(totalmem())} GiB, Node ${process.version}`;
  const rows = comparisons.map((c) =>
    [
      c.work,
      figure(c.ours),
      c.theirs ? `${c.peer}: ${figure(c.theirs)}` : c.peer,
      c.ratio === undefined ? '' : c.ratio.toFixed(2),
      c.reach,
      c.met === undefined ? '' : c.met ? 'yes' : '**no**',
      c.remark ?? '',
    ].join(' | '),
  );
  return [
    '# Measured',
    '',
    `${at.toISOString().slice(0, 10)}, ${machine}. Made by \`npm run bench\` (scale: ${scale}).`,
    'The machine is shared and noisy: the ratio is the median over rounds of both sides run in turn.',
    '',
    '| work | Annals | compared with | ratio | reach | met | remark |',
    '|---|---|---|---|---|---|---|',
    ...rows.map((row) => `| ${row} |`),
    '',
  ].join('\n');
}

export function figure({ value, unit }: Figure): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 1 ? 1 : 3;
  const text = value.toLocaleString('en-US', { maximumFractionDigits: digits });
  return `${text} ${unit}`;
}

function gib(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(0);
}
