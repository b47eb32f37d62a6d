import type { JsonSchema } from './operations.ts';

/** A value that a schema must refuse, as JSON text: some bad values (NaN, 1e400) have no JavaScript form. */
export interface BadValue {
  readonly what: string;
  readonly json: string;
}

const longText = 'x'.repeat(10_240);

const absurdDates = [
  'yesterday',
  '2026-13-45T99:99:99Z',
  '2026-02-30T00:00:00Z',
  '0001-01-01T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '+275760-09-13T00:00:00Z',
  '1700000000000',
];

/** Control characters, and half of a surrogate pair. */
const unprintable = ['\\u0000', '\\u0007', '\\n', '\\u001b[31m', '\\u007f', '\\ud800'];

const samples: readonly (readonly [type: string, json: string])[] = [
  ['string', '"text"'],
  ['number', '7'],
  ['boolean', 'true'],
  ['null', 'null'],
  ['array', '[]'],
  ['object', '{}'],
];

/** What a field of this schema must refuse. `freeText`: any text is meant, of any length the schema has. */
export function badValuesOf(schema: JsonSchema, freeText: boolean): BadValue[] {
  const branches = branchesOf(schema);
  const types = new Set(branches.flatMap((branch) => typesOf(branch)));
  if (types.size === 0) return [];
  const wrong = samples.filter(([type]) => !accepts(types, type));
  const bad = wrong.map(([type, json]) => ({ what: `${type} instead of ${[...types]}`, json }));
  // The bounds of a union's branches are the schema's own only when there is one branch of that type.
  const strings = branches.filter((branch) => typesOf(branch).includes('string'));
  const numbers = branches.filter((branch) => typesOf(branch).some(isNumeric));
  const arrays = branches.filter((branch) => typesOf(branch).includes('array'));
  if (numbers[0]) bad.push(...badNumbers(numbers[0]));
  if (strings[0] && strings.length === 1) bad.push(...badStrings(strings[0], freeText));
  if (arrays[0]?.minItems) bad.push({ what: 'no items', json: '[]' });
  return bad;
}

/** The alternatives of a union, or the schema itself. */
export function branchesOf(schema: JsonSchema): readonly JsonSchema[] {
  const branches = schema.anyOf ?? schema.oneOf;
  return branches ? branches.flatMap((branch) => branchesOf(branch)) : [schema];
}

function typesOf(schema: JsonSchema): string[] {
  if (schema.type !== undefined) return [schema.type].flat();
  const values = schema.enum ?? (schema.const === undefined ? [] : [schema.const]);
  return values.map((value) => (value === null ? 'null' : typeof value));
}

function isNumeric(type: string): boolean {
  return type === 'number' || type === 'integer';
}

function accepts(types: ReadonlySet<string>, type: string): boolean {
  return types.has(type) || (type === 'number' && types.has('integer'));
}

function badNumbers(schema: JsonSchema): BadValue[] {
  const bad: BadValue[] = [
    { what: 'NaN', json: 'NaN' },
    { what: 'Infinity', json: '-Infinity' },
    { what: '1e400', json: '1e400' },
    { what: 'a number in quotes', json: '"12"' },
  ];
  if (typesOf(schema).includes('integer')) {
    bad.push(
      { what: 'a fraction', json: '1.5' },
      { what: 'an unsafe integer', json: '9007199254740993' },
      { what: 'an unsafe negative integer', json: '-9007199254740993' },
    );
  }
  const { minimum, maximum } = schema;
  if (maximum !== undefined && Number.isSafeInteger(maximum + 1)) {
    bad.push({ what: 'over the maximum', json: String(maximum + 1) });
  }
  if (minimum !== undefined && Number.isSafeInteger(minimum - 1)) {
    bad.push({ what: 'under the minimum', json: String(minimum - 1) });
  }
  return bad;
}

function badStrings(schema: JsonSchema, freeText: boolean): BadValue[] {
  const bad: BadValue[] = [];
  if (schema.enum || schema.const !== undefined) {
    return [{ what: 'none of the values', json: '"no-such-value"' }];
  }
  if (schema.format === 'date-time' || schema.format === 'date') {
    bad.push(...absurdDates.map((date) => ({ what: `the date ${date}`, json: `"${date}"` })));
  }
  if (schema.minLength) bad.push({ what: 'empty text', json: '""' });
  if (schema.maxLength !== undefined && schema.maxLength < 100_000) {
    bad.push({ what: 'text too long', json: `"${'x'.repeat(schema.maxLength + 1)}"` });
  }
  if (freeText) return bad;
  if ((schema.maxLength ?? 0) < longText.length) {
    bad.push({ what: '10 KB of text', json: `"${longText}"` });
  }
  for (const text of unprintable) bad.push({ what: `text with ${text}`, json: `"a${text}b"` });
  return bad;
}
