import { hash } from 'node:crypto';
import { parse, v5, v7 } from 'uuid';

/** The namespace of every name-based id of Annals (UUIDv5 of "annals" in the DNS namespace). */
const namespace = Buffer.from(parse(v5('annals', v5.DNS)));
/** The namespace, and room for a name behind it: most ids are made without another buffer. */
const scratch = Buffer.concat([namespace, Buffer.alloc(1_008)]);

const idLength = 36;
const idBytes = Buffer.alloc(idLength);
const dash = 0x2d;
const version5 = 0x35;
/** What may stand where a UUID tells its variant: 8, 9, a and b. */
const variants = Buffer.from('89ab');

/**
 * A UUIDv5 (RFC 9562 §5.5) of a business key: the same parts give the same id, on every machine.
 * Parts are length-prefixed, so `['a', 'bc']` and `['ab', 'c']` differ.
 */
export function idFromKey(...parts: readonly string[]): string {
  const name = parts.map((part) => `${part.length}:${part}`).join('');
  // Half a character would be replaced, and two different keys would get one id.
  if (!name.isWellFormed()) throw new URIError('a part of a key holds half a character');
  // Made many times for each request: `v5` of uuid takes several times as long.
  const digest = hash('sha1', inNamespace(name), 'hex');
  writeId(digest);
  idBytes[14] = version5;
  idBytes[19] = variants[Number.parseInt(digest.charAt(16), 16) % 4] as number;
  return idBytes.toString('latin1');
}

/** The id whose 32 hex digits a text begins with. */
export function idFromHex(hex: string): string {
  writeId(hex);
  return idBytes.toString('latin1');
}

/** An id that is put together from slices keeps its parts until somebody reads it: 400 bytes, and it is made again then. */
function writeId(hex: string): void {
  let from = 0;
  for (let at = 0; at < idLength; at += 1) {
    if (at === 8 || at === 13 || at === 18 || at === 23) idBytes[at] = dash;
    else idBytes[at] = hex.charCodeAt(from++);
  }
}

function inNamespace(name: string): Uint8Array {
  // A UTF-16 unit takes at most three bytes of UTF-8.
  if (namespace.length + 3 * name.length > scratch.length) {
    return Buffer.concat([namespace, Buffer.from(name)]);
  }
  return scratch.subarray(0, namespace.length + scratch.write(name, namespace.length));
}

/** A new UUIDv7 (RFC 9562 §5.7), for what has no natural key. */
export function newId(): string {
  return v7();
}

/** RFC 9562 §4 in lower case: versions 1 to 8 of its variant, and the nil and the max UUID. */
const canonicalUuid =
  /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|0{8}-0{4}-0{4}-0{4}-0{12}|f{8}-f{4}-f{4}-f{4}-f{12})$/;

/** Whether `text` is a UUID in its canonical lower-case form, the only form the log stores. */
export function isId(text: string): boolean {
  // Asked of every event that is appended: no lower-case copy is made to compare with.
  return text.length === 36 && canonicalUuid.test(text);
}
