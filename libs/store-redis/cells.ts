import type { Cell, ColumnType } from '@annals/projection';

/**
 * Cells as bytes, in two ways. Packed: short, for what is only read back. Ordered: bytes that compare
 * as the cells do (integers by value, text by its UTF-8 bytes, null first), for sorted sets and sorting.
 */

/** A buffer that grows as cells are written to it. */
export class CellWriter {
  #bytes: Buffer;
  #end = 0;

  constructor(sizeBytes = 256) {
    this.#bytes = Buffer.allocUnsafe(sizeBytes);
  }

  get length(): number {
    return this.#end;
  }

  clear(): void {
    this.#end = 0;
  }

  /** Forgets what was written from `end` on. */
  cut(end: number): void {
    this.#end = end;
  }

  /** What was written since `clear`, or since `from`: good until the next thing is written. */
  view(from = 0): Buffer {
    return this.#bytes.subarray(from, this.#end);
  }

  /** A copy of what was written since `clear`, or since `from`. */
  take(from = 0): Buffer {
    return Buffer.from(this.#bytes.subarray(from, this.#end));
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#end] = value;
    this.#end += 1;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** What another writer has from `start` to `end`. */
  copy(from: CellWriter, start: number, end: number): void {
    const length = end - start;
    this.#reserve(length);
    if (length > shortText) from.#bytes.copy(this.#bytes, this.#end, start, end);
    else {
      const bytes = this.#bytes;
      const to = this.#end;
      for (let at = 0; at < length; at += 1) bytes[to + at] = from.#bytes[start + at] as number;
    }
    this.#end += length;
  }

  /** Whether another writer has the same from `start` to `end` as was written here since `since`. */
  same(since: number, other: CellWriter, start: number, end: number): boolean {
    if (this.#end - since !== end - start) return false;
    return this.#bytes.compare(other.#bytes, start, end, since, this.#end) === 0;
  }

  text(text: string): void {
    this.#reserve(text.length * 3);
    if (!this.#ascii(text, 0)) this.#end += this.#bytes.write(text, this.#end, 'utf8');
  }

  /** Writes a short text of ASCII from `least` on, and nothing else: for those a call into the encoder takes longer. */
  #ascii(text: string, least: number): boolean {
    const { length } = text;
    if (length > shortText) return false;
    const bytes = this.#bytes;
    const end = this.#end;
    for (let at = 0; at < length; at += 1) {
      const unit = text.charCodeAt(at);
      if (unit > 0x7f || unit < least) return false;
      bytes[end + at] = unit;
    }
    this.#end = end + length;
    return true;
  }

  /** Makes room for a number of four bytes that is known later; gives its place. */
  gap(): number {
    this.#reserve(4);
    this.#end += 4;
    return this.#end - 4;
  }

  /** Writes into a gap how much was written behind it, or `value`. */
  fill(gap: number, value = this.#end - gap - 4): void {
    const bytes = this.#bytes;
    bytes[gap] = value >>> 24;
    bytes[gap + 1] = value >>> 16;
    bytes[gap + 2] = value >>> 8;
    bytes[gap + 3] = value;
  }

  /** The same for a gap of two bytes: whether it fits in. */
  fillShort(gap: number, value = this.#end - gap - 2): void {
    this.#bytes[gap] = value >>> 8;
    this.#bytes[gap + 1] = value;
  }

  /** Inverts what was written from `start` on: it then sorts the other way round. */
  invert(start: number): void {
    for (let at = start; at < this.#end; at += 1) {
      this.#bytes[at] = 0xff - (this.#bytes[at] as number);
    }
  }

  pack(cell: Cell): void {
    if (cell === null) this.byte(packedNull);
    else if (typeof cell === 'number') this.#packInteger(cell);
    else if (typeof cell === 'string') {
      if (this.#packShort(cell)) return;
      this.#packLength(packedText, Buffer.byteLength(cell));
      this.text(cell);
    } else {
      this.#packLength(packedBlob, cell.length);
      this.raw(cell);
    }
  }

  /** A short text of ASCII, whose length is known before it is looked at: that takes one byte. */
  #packShort(text: string): boolean {
    const { length } = text;
    if (length === 0 || length > shortText) return false;
    this.#reserve(length + 2);
    const start = this.#end;
    this.#bytes[start] = packedText + 1;
    this.#bytes[start + 1] = length;
    this.#end = start + 2;
    if (this.#ascii(text, 0)) return true;
    this.#end = start;
    return false;
  }

  #packInteger(value: number): void {
    const size = byteCount(Math.abs(value));
    this.byte(value < 0 ? packedNegative + size : size);
    this.#magnitude(Math.abs(value), size);
  }

  #packLength(kind: number, length: number): void {
    const size = byteCount(length);
    this.byte(kind + size);
    this.#magnitude(length, size);
  }

  /** Big-endian; `invert` stores the complement of each byte. */
  #magnitude(value: number, size: number, invert = false): void {
    this.#reserve(size);
    let rest = value;
    for (let at = this.#end + size - 1; at >= this.#end; at -= 1) {
      const low = rest % 256;
      this.#bytes[at] = invert ? 255 - low : low;
      rest = (rest - low) / 256;
    }
    this.#end += size;
  }

  order(cell: Cell): void {
    if (typeof cell === 'number') {
      const size = byteCount(Math.abs(cell));
      this.byte(cell < 0 ? orderedZero - size : orderedZero + size);
      this.#magnitude(Math.abs(cell), size, cell < 0);
      return;
    }
    if (typeof cell === 'string') this.#orderedText(cell);
    else if (cell !== null) this.#escaped(cell);
    this.byte(0);
    this.byte(cell === null ? orderedNull : orderedEnd);
  }

  #orderedText(text: string): void {
    this.#reserve(text.length);
    if (this.#ascii(text, 1)) return;
    if (text.includes('\0')) this.#escaped(Buffer.from(text));
    else this.text(text);
  }

  /** A nul is followed by 255, so that only the end has something lower there. */
  #escaped(bytes: Uint8Array): void {
    let from = 0;
    for (let nul = bytes.indexOf(0); nul >= 0; nul = bytes.indexOf(0, from)) {
      this.raw(bytes.subarray(from, nul + 1));
      this.byte(0xff);
      from = nul + 1;
    }
    this.raw(bytes.subarray(from));
  }

  #reserve(more: number): void {
    const needed = this.#end + more;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#end);
    this.#bytes = grown;
  }
}

/** UTF-16 units of a text that is copied one by one. */
const shortText = 48;
const packedNegative = 0x10;
const packedText = 0x20;
const packedBlob = 0x30;
const packedNull = 0x40;
const orderedZero = 0x80;
const orderedNull = 0;
const orderedEnd = 1;

/** Bytes that hold a value from 0 to 2^53: none for 0. */
function byteCount(value: number): number {
  let size = 0;
  for (let most = 1; value >= most; most *= 256) size += 1;
  return size;
}

/** Bytes that no writer of this format made: the store is damaged, or another's. */
export class CellFormatError extends Error {
  readonly code = 'cell-format';
  constructor(detail: string) {
    super(`stored cells cannot be read: ${detail}`);
    this.name = 'CellFormatError';
  }
}

export class CellReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  unpack(): Cell {
    const head = this.#byte();
    if (head === packedNull) return null;
    const size = head & 0x0f;
    const kind = head & 0xf0;
    const value = this.#magnitude(size);
    if (kind === 0) return value;
    if (kind === packedNegative) return -value;
    const bytes = this.#take(value);
    if (kind === packedText) return bytes.toString('utf8');
    if (kind === packedBlob) return new Uint8Array(bytes);
    throw new CellFormatError(`there is no kind ${kind}`);
  }

  ordered(type: ColumnType, descending = false): Cell {
    const flip = descending ? 0xff : 0;
    if (type === 'integer' && !this.#isOrderedNull(flip)) return this.#orderedInteger(flip);
    const parts: number[] = [];
    for (;;) {
      const byte = this.#byte() ^ flip;
      if (byte !== 0) {
        parts.push(byte);
        continue;
      }
      const next = this.#byte() ^ flip;
      if (next === orderedNull) return null;
      if (next === orderedEnd) break;
      parts.push(0);
    }
    return type === 'text' ? Buffer.from(parts).toString('utf8') : Uint8Array.from(parts);
  }

  /** What is left, as text: the last column of a member stands there as it is. */
  rest(): Buffer {
    return this.#take(this.#bytes.length - this.#at);
  }

  #isOrderedNull(flip: number): boolean {
    return ((this.#bytes[this.#at] ?? flip) ^ flip) === 0;
  }

  #orderedInteger(flip: number): number {
    const head = this.#byte() ^ flip;
    if (head >= orderedZero) return this.#magnitude(head - orderedZero, flip);
    return -this.#magnitude(orderedZero - head, 0xff ^ flip);
  }

  #magnitude(size: number, flip = 0): number {
    let value = 0;
    for (let n = 0; n < size; n += 1) value = value * 256 + (this.#byte() ^ flip);
    return value;
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new CellFormatError('they end too early');
    this.#at += 1;
    return byte;
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new CellFormatError('they end too early');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

/** Cells as text: equal cells of one type and only equal ones have the same, and none begins another. */
export function cellText(cell: Cell): string {
  if (typeof cell === 'string') return `${cell.length}:${cell}`;
  return typeof cell === 'number' ? `${cell + 0},` : `${blobText(cell)},`;
}

/** A blob in hex digits. */
export function blobText(cell: Cell): string {
  return Buffer.from(cell as Uint8Array).toString('hex');
}

/** The cells that a text of `cellText` begins with, and where they end. */
export function readCells(
  text: string,
  types: readonly ColumnType[],
): { readonly cells: Cell[]; readonly end: number } {
  const cells: Cell[] = [];
  let end = 0;
  for (const type of types) {
    const mark = text.indexOf(type === 'text' ? ':' : ',', end);
    if (mark < 0) throw new CellFormatError('a key ends too early');
    const head = text.slice(end, mark);
    end = mark + 1;
    if (type === 'text') {
      cells.push(text.slice(end, end + Number(head)));
      end += Number(head);
    } else {
      cells.push(type === 'integer' ? Number(head) : new Uint8Array(Buffer.from(head, 'hex')));
    }
  }
  return { cells, end };
}
