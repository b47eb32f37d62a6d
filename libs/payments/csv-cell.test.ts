import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csvCell } from './csv-cell.ts';

test('what a spreadsheet would take for a formula is a text, and numbers stay numbers', () => {
  for (const text of ['=1+1', '+49 30', '@sum', '-1+cmd', '-x', '-1-1', '\t=1', '-']) {
    expect(csvCell(text).replace(/^"/, '')).toMatch(/^'/);
  }
  for (const number of ['-5', '19.99', '-19.99', '0']) expect(csvCell(number)).toBe(number);
});

test('a reader of CSV gets every text back, but for the apostrophe', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 2, maxLength: 5 }), (texts) => {
      const line = `${texts.map(csvCell).join(',')}\r\n`;
      const [row] = parse(line, { record_delimiter: '\r\n' }) as string[][];
      const bare = row?.map((cell, at) => (cell === `'${texts[at]}` ? cell.slice(1) : cell));
      expect(bare).toEqual(texts);
    }),
  );
});
