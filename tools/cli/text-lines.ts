import { StringDecoder } from 'node:string_decoder';

/**
 * The lines of a text in UTF-8, without their ends (`\n`, also `\r\n`); a last line needs no end. A
 * line of more than `lineCharsMax` characters is given as far as it came, and nothing after it.
 */
export async function* textLines(
  chunks: AsyncIterable<Uint8Array>,
  lineCharsMax: number,
): AsyncGenerator<string, void, undefined> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + decoder.write(Buffer.from(chunk))).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) yield withoutReturn(part);
    if (rest.length > lineCharsMax) {
      yield rest;
      return;
    }
  }
  rest += decoder.end();
  if (rest !== '') yield withoutReturn(rest);
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
