/** Writes a request in the primitives of Kafka's protocol. Big-endian. */
export class WireWriter {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    return this.#push(1, (bytes) => bytes.writeInt8(value));
  }

  int16(value: number): this {
    return this.#push(2, (bytes) => bytes.writeInt16BE(value));
  }

  int32(value: number): this {
    return this.#push(4, (bytes) => bytes.writeInt32BE(value));
  }

  int64(value: number): this {
    return this.#push(8, (bytes) => bytes.writeBigInt64BE(BigInt(value)));
  }

  string(text: string): this {
    this.int16(Buffer.byteLength(text));
    this.#parts.push(Buffer.from(text));
    return this;
  }

  /** An unsigned number of as many bytes as it needs. */
  varint(value: number): this {
    let rest = value;
    while (rest >= 0x80) {
      this.int8((((rest & 0x7f) | 0x80) << 24) >> 24);
      rest >>>= 7;
    }
    return this.int8(rest);
  }

  compactString(text: string): this {
    this.varint(Buffer.byteLength(text) + 1);
    this.#parts.push(Buffer.from(text));
    return this;
  }

  /** The length in front of the items of an array, as later versions of requests have it. */
  compactArray(length: number): this {
    return this.varint(length + 1);
  }

  /** 32 hex digits. */
  uuid(hex: string): this {
    this.#parts.push(Buffer.from(hex, 'hex'));
    return this;
  }

  /** None of what later versions of a structure may add to it. */
  noTags(): this {
    return this.varint(0);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #push(size: number, write: (bytes: Buffer) => void): this {
    const bytes = Buffer.alloc(size);
    write(bytes);
    this.#parts.push(bytes);
    return this;
  }
}

/** Reads an answer. Throws RangeError where it ends too early. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#step(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#step(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#step(4));
  }

  /** Offsets and the like, which are far below 2^53. */
  int64(): number {
    return Number(this.#bytes.readBigInt64BE(this.#step(8)));
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#step(1));
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  string(): string {
    return this.blob(this.int16()).toString();
  }

  /** Empty for null. */
  compactString(): string {
    return this.blob(this.varint() - 1).toString();
  }

  uuid(): string {
    return this.blob(16).toString('hex');
  }

  skip(size: number): void {
    this.#step(size);
  }

  /** What later versions have added, which nothing here knows. */
  skipTags(): void {
    for (let left = this.varint(); left > 0; left -= 1) {
      this.varint();
      this.#step(this.varint());
    }
  }

  array<Item>(length: number, item: () => Item): Item[] {
    return Array.from({ length: Math.max(0, length) }, item);
  }

  /** The next `size` bytes, not copied; none where the size says null. */
  blob(size: number): Buffer {
    const start = this.#step(Math.max(0, size));
    return this.#bytes.subarray(start, this.#at);
  }

  #step(size: number): number {
    const start = this.#at;
    if (start + size > this.#bytes.length)
      throw new RangeError('an answer of Kafka ends too early');
    this.#at = start + size;
    return start;
  }
}
