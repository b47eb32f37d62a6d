import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldText, readFold } from './fold-text.ts';

/** The stored form as it was defined first: every text that was ever stored is one of these. */
function firstFoldText(fold: object): string {
  return JSON.stringify(fold, (_, value) => {
    if (typeof value === 'bigint') return { $n: String(value) };
    return value instanceof Map ? { $m: [...value] } : value;
  });
}

const { fold } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.bigInt(),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 3 }).map((all) => new Map(all)),
    tie('fold'),
  ),
  fold: fc
    .array(fc.tuple(fc.stringMatching(/^[a-z_]{1,6}$/), tie('value')), { maxLength: 4 })
    .map((members) => Object.fromEntries(members)),
}));

test('a fold is the text that it always was, and comes back from it', () => {
  fc.assert(
    fc.property(fold, (one) => {
      const text = foldText(one as object);
      expect(text).toBe(firstFoldText(one as object));
      expect(readFold(text)).toEqual(one);
    }),
  );
});

test('members that are undefined are left out, also within maps and lists', () => {
  const held = { a: undefined, b: { c: undefined, d: 1n }, m: new Map([['k', { e: undefined }]]) };
  expect(foldText(held)).toBe('{"b":{"d":{"$n":"1"}},"m":{"$m":[["k",{}]]}}');
  expect(readFold(foldText(held))).toEqual({ b: { d: 1n }, m: new Map([['k', {}]]) });
});
