import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type ErrorTable, replaceSection } from '../index.ts';

/**
 * Tests that docs/errors.md has this table's section as the table is now. Each package tests its own
 * section. `npx node libs/http/write-errors.ts` writes them all.
 */
export function describeErrorDocs(table: ErrorTable, document: URL): void {
  describe(`the errors of ${table.name}`, () => {
    it('are in the docs as they are in the table', () => {
      const text = readFileSync(document, 'utf8');
      expect(text).toBe(replaceSection(text, table));
    });
  });
}
