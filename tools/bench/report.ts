import { cpus, totalmem } from 'node:os';
import type { Comparison, Figure } from './harness.ts';

const columns = [
  'work',
  'Annals',
  'compared with',
  'ratio',
  'reach',
  'met',
  'remark',
  'measured',
] as const;

/**
 * The results as a Markdown page with one table. Rows of `earlier`, an older page, stay where nothing of the same work
 * was measured now; each row says when it was, and on what.
 */
export function markdownReport(
  comparisons: readonly Comparison[],
  options: { readonly at: Date; readonly scale: string; readonly earlier?: string },
): string {
  const rows = new Map(rowsOf(options.earlier ?? ''));
  for (const comparison of comparisons) {
    const row = cellsOf(comparison, options.at);
    rows.set(row[0] as string, row);
  }
  return [
    '# Measured',
    '',
    `Made by \`npm run bench\` (scale: ${options.scale}).`,
    'Machines are shared and noisy: a ratio is the median over rounds in which both sides run in turn;',
    'figures of different rows were measured at different times, on different machines, and say nothing of each other.',
    '',
    line(columns),
    `|${'---|'.repeat(columns.length)}`,
    ...[...rows.values()].map(line),
    '',
  ].join('\n');
}

/** The same for a terminal: one block a comparison. */
export function textReport(comparisons: readonly Comparison[]): string {
  return comparisons
    .map((c) => {
      const ratio = c.ratio === undefined ? '' : `   ${c.ratio.toFixed(2)} (reach ${c.reach})`;
      const met = c.met === undefined ? ' ' : c.met ? '✓' : '✗';
      const peer = c.theirs ? `${figure(c.theirs)}  ${c.peer}` : c.peer;
      return [
        `${met} ${c.work}${ratio}`,
        `    ${c.ours ? figure(c.ours) : 'not measured'}`,
        ...(peer === '' ? [] : [`    ${peer}`]),
        ...(c.remark ? [`    ${c.remark.replaceAll(/\s+/g, ' ')}`] : []),
      ].join('\n');
    })
    .join('\n');
}

export function figure({ value, unit }: Figure): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 1 ? 1 : 3;
  const text = value.toLocaleString('en-US', { maximumFractionDigits: digits });
  return `${text} ${unit}`;
}

/** The machine in words: cores, model, memory, Node. */
export function machine(): string {
  const cores = cpus();
  const gib = (totalmem() / 2 ** 30).toFixed(0);
  return `${cores.length} × ${cores[0]?.model ?? 'unknown'}, ${gib} GiB, Node ${process.version}`;
}

function cellsOf(c: Comparison, at: Date): readonly string[] {
  return [
    c.work,
    c.ours ? figure(c.ours) : 'not measured',
    c.theirs ? `${c.peer}: ${figure(c.theirs)}` : c.peer,
    c.ratio === undefined ? '' : c.ratio.toFixed(2),
    c.reach,
    c.met === undefined ? '' : c.met ? 'yes' : '**no**',
    c.remark ?? '',
    `${at.toISOString().slice(0, 16).replace('T', ' ')}, ${machine()}`,
  ].map(asCell);
}

/** A bar or a line break would end the cell. */
function asCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').trim();
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** The rows of a page made by `markdownReport`, by their first cell; none when its columns are others. */
function rowsOf(page: string): (readonly [string, readonly string[]])[] {
  const lines = page.split('\n');
  const head = lines.indexOf(line(columns));
  if (head < 0) return [];
  return lines
    .slice(head + 2)
    .filter((text) => text.startsWith('| '))
    .map((text) => text.slice(2, -2).split(/ (?<!\\)\| /))
    .filter((cells) => cells.length === columns.length)
    .map((cells) => [cells[0] as string, cells] as const);
}
