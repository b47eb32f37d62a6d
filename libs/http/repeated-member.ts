/**
 * Members that an object has twice (RFC 8259 §4: names should be unique). JSON.parse keeps the last, other
 * readers the first: what a client meant is not known. Both functions take a text that is JSON.
 */

/** The members of all objects in the text: in JSON each has one colon, and other colons are in strings. */
export function membersIn(text: string): number {
  let members = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === quote) at = endOfString(text, at);
    else if (char === colon) members += 1;
  }
  return members;
}

interface Level {
  /** Undefined in an array. */
  readonly names: Set<string> | undefined;
  key: string | number;
}

/** The path of the first member whose name its object has already; undefined when all names differ. */
export function repeatedMember(text: string): string | undefined {
  const levels: Level[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const level = levels.at(-1);
    switch (text.charCodeAt(at)) {
      case openBrace:
        levels.push({ names: new Set(), key: '' });
        break;
      case openBracket:
        levels.push({ names: undefined, key: 0 });
        break;
      case closeBrace:
      case closeBracket:
        levels.pop();
        break;
      case comma:
        if (level && typeof level.key === 'number') level.key += 1;
        break;
      case quote: {
        const end = endOfString(text, at);
        if (level?.names && isName(text, end)) {
          const name = JSON.parse(text.slice(at, end + 1)) as string;
          level.key = name;
          if (level.names.has(name)) return levels.map(({ key }) => key).join('.');
          level.names.add(name);
        }
        at = end;
      }
    }
  }
  return undefined;
}

const [quote, colon, comma] = [0x22, 0x3a, 0x2c];
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];
const backslash = 0x5c;

/** Where the string that begins at `open` has its closing quote. */
function endOfString(text: string, open: number): number {
  let end = text.indexOf('"', open + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text.charCodeAt(before) === backslash) before -= 1;
  return (at - 1 - before) % 2 === 1;
}

function isName(text: string, end: number): boolean {
  let at = end + 1;
  while (text.charCodeAt(at) <= 0x20) at += 1;
  return text.charCodeAt(at) === colon;
}
