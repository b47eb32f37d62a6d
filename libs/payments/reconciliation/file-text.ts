import { createHash } from 'node:crypto';
import { reconciliationLimits as limits } from './limits.ts';
import { ReconciliationFileError } from './mapped-line.ts';

/** How the bytes of a file are read. A byte order mark decides where there is one. */
export type FileEncoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';

/** A file as text, and its hash once it was read to its end: what tells that a file was here before. */
export class FileText {
  readonly #chunks: AsyncIterable<Uint8Array>;
  readonly #encoding: FileEncoding;
  readonly #hash = createHash('sha256');
  #sha256: string | undefined;

  constructor(chunks: AsyncIterable<Uint8Array>, encoding: FileEncoding = 'utf-8') {
    this.#chunks = chunks;
    this.#encoding = encoding;
  }

  get isRead(): boolean {
    return this.#sha256 !== undefined;
  }

  /** Of all bytes, in hexadecimal. Throws Error before the end was reached. */
  get sha256(): string {
    if (this.#sha256 === undefined) throw new Error('the file was not read to its end');
    return this.#sha256;
  }

  /** Bytes that mean nothing become U+FFFD. Throws ReconciliationFileError for a file that is too large. */
  async *text(): AsyncGenerator<string> {
    let decoder: InstanceType<typeof TextDecoder> | undefined;
    let start: Uint8Array = new Uint8Array(0);
    let bytes = 0;
    for await (const chunk of this.#chunks) {
      bytes += chunk.byteLength;
      if (bytes > limits.fileBytesMax) {
        throw new ReconciliationFileError(
          'file-too-large',
          `the file has more than ${limits.fileBytesMax} bytes`,
        );
      }
      this.#hash.update(chunk);
      if (decoder) {
        yield decoder.decode(chunk, { stream: true });
        continue;
      }
      start = Buffer.concat([start, chunk]);
      if (start.byteLength < 4) continue;
      decoder = new TextDecoder(encodingOf(start, this.#encoding));
      yield decoder.decode(start, { stream: true });
    }
    decoder ??= new TextDecoder(encodingOf(start, this.#encoding));
    const rest = bytes < 4 ? decoder.decode(start) : decoder.decode();
    if (rest !== '') yield rest;
    this.#sha256 = this.#hash.digest('hex');
  }
}

function encodingOf(start: Uint8Array, given: FileEncoding): FileEncoding {
  const [first, second, third] = start;
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  if (first === 0xef && second === 0xbb && third === 0xbf) return 'utf-8';
  return given;
}
