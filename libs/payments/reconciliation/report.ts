import { csvCell } from '../csv-cell.ts';
import { isCurrency, money, shownMoney } from '../money.ts';
import { type BreakClass, breakClasses } from './break-classes.ts';
import type { StoredBreak, StoredMovement } from './events.ts';
import type { BreakState, SettlementDay, TrackedBreak } from './state.ts';

/** A day of reconciliation for people and programs. */
export interface ReconciliationReport {
  readonly psp: string;
  readonly date: string;
  readonly files: readonly string[];
  readonly counts: { readonly [Class in BreakClass]: number };
  /** Breaks that somebody has to look at. */
  readonly open: number;
  readonly breaks: readonly ReportedBreak[];
}

export interface ReportedBreak extends StoredBreak {
  readonly state: BreakState;
  readonly assigned_to?: string;
  /** What waits for its second person, and who asked. */
  readonly proposal?: TrackedBreak['proposal'];
}

export function reportOf(psp: string, date: string, day: SettlementDay): ReconciliationReport {
  const breaks = [...day.breaks.values()].map(reported);
  const counts = Object.fromEntries(
    breakClasses.map((name) => [name, breaks.filter((one) => one.class === name).length]),
  ) as ReconciliationReport['counts'];
  const open = breaks.filter(({ state }) => state === 'open' || state === 'proposed').length;
  return { psp, date, files: [...day.files], counts, open, breaks };
}

function reported({ found, state, assignedTo, proposal }: TrackedBreak): ReportedBreak {
  return {
    ...{ ...found, state, ...(assignedTo === undefined ? {} : { assigned_to: assignedTo }) },
    ...(state === 'proposed' && proposal ? { proposal } : {}),
  };
}

const columns = [
  'psp',
  'date',
  'break_id',
  'class',
  'treatment',
  'state',
  'assigned_to',
  'key',
  'line',
  'outside_status',
  'outside_currency',
  'outside_amount',
  'outside_fee',
  'ledger_status',
  'ledger_currency',
  'ledger_amount',
  'ledger_fee',
  'detail',
] as const;

/** RFC 4180, amounts in minor units. A text that a spreadsheet would take for a formula is quoted with an apostrophe. */
export function reportCsv(...reports: readonly ReconciliationReport[]): string {
  const lines = reports.flatMap(({ psp, date, breaks }) =>
    breaks.map((one) => {
      const cells = [
        ...[psp, date, one.break_id, one.class, one.treatment, one.state],
        ...[one.assigned_to ?? '', one.key, one.line === undefined ? '' : String(one.line)],
        ...[...sideCells(one.outside), ...sideCells(one.ledger), one.detail ?? ''],
      ];
      return cells.map(csvCell).join(',');
    }),
  );
  return `${[columns.join(','), ...lines].join('\r\n')}\r\n`;
}

function sideCells(side: StoredMovement | undefined): string[] {
  return side ? [side.status, side.currency, side.amount, side.fee] : ['', '', '', ''];
}

/** A page that needs nothing else: no script, no style sheet, no picture. `remarks` stand first, one line each. */
export function reportHtml(
  remarks: readonly string[],
  ...reports: readonly ReconciliationReport[]
): string {
  const title = `Reconciliation of ${[...new Set(reports.map(({ date }) => date))].join(', ')}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title>
<style>body{font-family:sans-serif;margin:2rem}table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.3rem .6rem;text-align:left}</style>
</head><body><h1>${escaped(title)}</h1>
${[...remarks.map((text) => `<p>${escaped(text)}</p>`), ...reports.map(section)].join('\n')}
</body></html>
`;
}

function section({ psp, date, files, counts, open, breaks }: ReconciliationReport): string {
  const found = breakClasses.filter((name) => counts[name] > 0);
  const summary = found.map((name) => `<li>${name}: ${counts[name]}</li>`).join('');
  const head = ['class', 'state', 'assigned to', 'key', 'theirs', 'ours', 'detail'];
  const rows = breaks.map((one) => {
    const where = one.line === undefined ? one.key : `line ${one.line}`;
    const cells = [
      ...[one.class, one.state, one.assigned_to ?? '', where],
      ...[said(one.outside), said(one.ledger), one.detail ?? ''],
    ];
    return `<tr>${cells.map((text) => `<td>${escaped(text)}</td>`).join('')}</tr>`;
  });
  const table = `<table><thead><tr>${head.map((name) => `<th>${name}</th>`).join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table>`;
  return `<h2>${escaped(`${psp}, ${date}`)}</h2>
<p>${files.length} file${files.length === 1 ? '' : 's'}, ${breaks.length} breaks, ${open} for somebody to look at.</p>
${found.length > 0 ? `<ul>${summary}</ul>\n${table}` : ''}`;
}

function said(side: StoredMovement | undefined): string {
  if (!side) return '';
  const { status, amount, fee, currency } = side;
  const text = (units: string) =>
    isCurrency(currency) ? shownMoney(money(units, currency)) : `${units} ${currency}`;
  return `${status} ${text(amount)}, fee ${text(fee)}`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
