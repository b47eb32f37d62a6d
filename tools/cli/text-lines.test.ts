import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textLines } from './text-lines.ts';

async function linesOf(chunks: readonly Uint8Array[], lineCharsMax = 1_000): Promise<string[]> {
  async function* given() {
    yield* chunks;
  }
  const lines: string[] = [];
  for await (const line of textLines(given(), lineCharsMax)) lines.push(line);
  return lines;
}

describe('the lines of a text', () => {
  it('are the same however the text is cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme' }).map((line) => line.replace(/[\r\n]/g, ''))),
        fc.integer({ min: 1, max: 9 }),
        async (lines, size) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          const chunks = [];
          for (let at = 0; at < bytes.length; at += size)
            chunks.push(bytes.subarray(at, at + size));
          expect(await linesOf(chunks)).toEqual(lines);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('need no end at the end of the text, and may end as on Windows', async () => {
    expect(await linesOf([Buffer.from('one\r\ntwo')])).toEqual(['one', 'two']);
  });

  it('end with a line that is too long, so that memory is bounded', async () => {
    const endless = Array.from({ length: 100 }, () => Buffer.alloc(100, 'x'));
    const lines = await linesOf([Buffer.from('short\n'), ...endless], 250);
    expect(lines).toEqual(['short', 'x'.repeat(300)]);
  });
});
