/** Where a text stops being JSON, and which field that is. */
export interface JsonFault {
  /** 1, 2, … */
  readonly line: number;
  /** 1, 2, …, in UTF-16 code units. */
  readonly column: number;
  /** Path with dots of the value that was being read; empty at the top. */
  readonly field: string;
}

interface Level {
  readonly kind: 'object' | 'array';
  key: string | number;
}

type Expectation = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma-or-end';

const literal = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const whitespace = /[ \t\n\r]*/y;

/**
 * Finds the first fault of a text that JSON.parse refused. JSON.parse itself names no place for
 * most faults, and quotes the text instead. Reads the text once, without recursion.
 */
export function findJsonFault(text: string): JsonFault {
  const levels: Level[] = [];
  let expected: Expectation | 'nothing' = 'value';
  let offset = skip(whitespace, text, 0);
  for (;;) {
    const step: Step | undefined = take(text, offset, expected, levels);
    if (!step) break;
    expected = step.expected;
    offset = skip(whitespace, text, step.offset);
  }
  const before = text.slice(0, offset);
  return {
    line: before.split('\n').length,
    column: offset - before.lastIndexOf('\n'),
    field: levels.map((level) => level.key).join('.'),
  };
}

interface Step {
  readonly offset: number;
  readonly expected: Expectation | 'nothing';
}

/** One token, or undefined when what stands at `offset` is not expected. Keeps `levels` up to date. */
function take(
  text: string,
  offset: number,
  expected: Expectation | 'nothing',
  levels: Level[],
): Step | undefined {
  const level = levels.at(-1);
  const char = text[offset];
  switch (expected) {
    case 'nothing':
      return undefined;
    case 'colon':
      return char === ':' ? { offset: offset + 1, expected: 'value' } : undefined;
    case 'comma-or-end':
      if (char === ',') return comma(level as Level, offset);
      return close(char, offset, levels);
    case 'key':
    case 'key-or-end': {
      if (char === '}' && expected === 'key-or-end') return close(char, offset, levels);
      const end = stringEnd(text, offset);
      if (end === undefined) return undefined;
      (level as Level).key = JSON.parse(text.slice(offset, end)) as string;
      return { offset: end, expected: 'colon' };
    }
    default:
      if (char === ']' && expected === 'value-or-end') return close(char, offset, levels);
      return value(text, offset, levels);
  }
}

function value(text: string, offset: number, levels: Level[]): Step | undefined {
  const char = text[offset];
  if (char === '{') {
    levels.push({ kind: 'object', key: '' });
    return { offset: offset + 1, expected: 'key-or-end' };
  }
  if (char === '[') {
    levels.push({ kind: 'array', key: 0 });
    return { offset: offset + 1, expected: 'value-or-end' };
  }
  const end = char === '"' ? stringEnd(text, offset) : skip(literal, text, offset);
  if (end === undefined || end === offset) return undefined;
  return { offset: end, expected: afterValue(levels) };
}

function comma(level: Level, offset: number): Step {
  if (level.kind === 'object') return { offset: offset + 1, expected: 'key' };
  level.key = Number(level.key) + 1;
  return { offset: offset + 1, expected: 'value' };
}

function close(char: string | undefined, offset: number, levels: Level[]): Step | undefined {
  const level = levels.at(-1);
  if (char !== (level?.kind === 'object' ? '}' : ']')) return undefined;
  levels.pop();
  return { offset: offset + 1, expected: afterValue(levels) };
}

function afterValue(levels: readonly Level[]): Expectation | 'nothing' {
  return levels.length === 0 ? 'nothing' : 'comma-or-end';
}

function skip(pattern: RegExp, text: string, offset: number): number {
  pattern.lastIndex = offset;
  return pattern.test(text) ? pattern.lastIndex : offset;
}

const escapes = '"\\/bfnrt';

/** The offset after the string that begins at `start`, or undefined when none does. */
function stringEnd(text: string, start: number): number | undefined {
  if (text[start] !== '"') return undefined;
  for (let at = start + 1; at < text.length; at += 1) {
    const char = text[at] as string;
    if (char === '"') return at + 1;
    if (char < ' ') return undefined;
    if (char !== '\\') continue;
    at += 1;
    const escaped = text[at];
    if (escaped === 'u') {
      if (!/^[0-9a-fA-F]{4}$/.test(text.slice(at + 1, at + 5))) return undefined;
      at += 4;
    } else if (escaped === undefined || !escapes.includes(escaped)) {
      return undefined;
    }
  }
  return undefined;
}
