import type { ErrorTable } from './problem.ts';

/** One table of errors as a section of docs/errors.md, between two comments that say whose it is. */
export function errorsSection(table: ErrorTable): string {
  const rows = Object.entries(table.rows).toSorted(
    ([a, { status: x }], [b, { status: y }]) => x - y || a.localeCompare(b, 'en'),
  );
  return [
    opening(table.name),
    `## ${table.name}`,
    '',
    '| code | status | title | detail | when |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map(([code, { status, title, detail, when }]) => {
      const cells = [`\`${code}\``, String(status), title, detail, when];
      return `| ${cells.map(escapeCell).join(' | ')} |`;
    }),
    '',
    closing(table.name),
  ].join('\n');
}

/** `document` with the section of this table in it: in place of the old one, else at the end. */
export function replaceSection(document: string, table: ErrorTable): string {
  const section = errorsSection(table);
  const start = document.indexOf(opening(table.name));
  const end = document.indexOf(closing(table.name));
  if (start === -1 || end === -1) return `${document.trimEnd()}\n\n${section}\n`;
  return document.slice(0, start) + section + document.slice(end + closing(table.name).length);
}

function opening(name: string): string {
  return `<!-- errors of ${name}: made from its table, do not edit -->`;
}

function closing(name: string): string {
  return `<!-- end of ${name} -->`;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
