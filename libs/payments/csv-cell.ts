/**
 * A cell of RFC 4180, quoted where it must be. A text that a spreadsheet would take for a formula gets an apostrophe before it,
 * as names and ids come from outside; a number, also a negative one, stays as it is.
 */
export function csvCell(text: string): string {
  const isFormula = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(?:\.\d+)?$/.test(text);
  const safe = isFormula ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
