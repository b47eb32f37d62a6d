import { FileText } from '../file-text.ts';
import type { MappedLine } from '../mapped-line.ts';

/** Bytes as they come from a socket: in pieces that cut lines and characters anywhere. */
export async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

export function fileOf(content: string | Uint8Array, pieceBytes = 7): FileText {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return new FileText(inPieces(bytes, pieceBytes));
}

export async function linesOf<Row>(
  batches: AsyncIterable<readonly MappedLine<Row>[]>,
): Promise<MappedLine<Row>[]> {
  const lines: MappedLine<Row>[] = [];
  for await (const batch of batches) lines.push(...batch);
  return lines;
}
