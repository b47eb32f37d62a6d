import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonBody } from './json-body.ts';
import { findJsonFault } from './json-fault.ts';
import { Problem } from './problem.ts';

const parse = (text: string) => parseJsonBody(Buffer.from(text));

describe('a JSON body', () => {
  it('is what JSON.parse says, for every JSON value', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const parsed = parse(text);
        // Only a forbidden name may make a difference.
        if (parsed instanceof Problem) expect(text).toMatch(/__proto__|constructor|\\u00/);
        else expect(parsed.value).toEqual(JSON.parse(text));
      }),
    );
  });

  it('is refused exactly when JSON.parse refuses it, with a place inside the text', () => {
    const almostJson = fc
      .tuple(fc.json(), fc.nat(), fc.string({ maxLength: 2 }))
      .map(([text, at, wrong]) => {
        const cut = at % (text.length + 1);
        return text.slice(0, cut) + wrong + text.slice(cut + (at % 3));
      });
    fc.assert(
      fc.property(almostJson, (text) => {
        let good = true;
        try {
          JSON.parse(text);
        } catch {
          good = false;
        }
        const parsed = parse(text);
        const isMalformed = parsed instanceof Problem && parsed.code === 'malformed-json';
        expect(isMalformed).toBe(!good);
        if (good) return;
        const { line, column } = findJsonFault(text);
        const lines = text.split('\n');
        expect(line).toBeLessThanOrEqual(lines.length);
        expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['{"a":NaN}', 1, 6, 'a'],
    ['{"a":{"b":[1,2,-Infinity]}}', 1, 16, 'a.b.2'],
    ['{"a":1,}', 1, 8, 'a'],
    ['{\n  "a": 1\n  "b": 2\n}', 3, 3, 'a'],
    ["{'a':1}", 1, 2, ''],
    ['[1', 1, 3, '0'],
    ['"abc', 1, 1, ''],
    ['{"a":"x\u0001"}', 1, 6, 'a'],
    ['{"a":"\\u12G4"}', 1, 6, 'a'],
    ['{"a":"\\x"}', 1, 6, 'a'],
    ['01', 1, 2, ''],
    ['{"a":1}}', 1, 8, ''],
    ['[1}', 1, 3, '0'],
    ['', 1, 1, ''],
  ])('%j stops being JSON at %i:%i, in %j', (text, line, column, field) => {
    expect(findJsonFault(text)).toEqual({ line, column, field });
  });

  it('must be UTF-8', () => {
    const parsed = parseJsonBody(Buffer.from([0x22, 0xff, 0x22]));
    expect(parsed).toMatchObject({ code: 'malformed-json' });
  });

  it.each([
    ['{"__proto__":1}', '__proto__'],
    ['{"a":[{"constructor":1}]}', 'a.0.constructor'],
    ['{"\\u005f_proto__":1}', '__proto__'],
    ['{"c\\u006fnstructor":1}', 'constructor'],
  ])('%s has a name that is never allowed', (text, field) => {
    expect(parse(text)).toMatchObject({ errors: [{ in: 'body', field }] });
  });

  it.each([
    ['{"a":1,"a":1}', 'a'],
    ['{"a":1,"b":{"c":[0,{"d":1, "d" :2}]}}', 'b.c.1.d'],
    ['{"a":1,"\\u0061":2}', 'a'],
    ['{"":1,"":2}', ''],
    ['[{"a":1},{"a":1,"b":"\\\\","b":"\\""}]', '1.b'],
  ])('%s has a member twice', (text, field) => {
    expect(parse(text)).toMatchObject({
      code: 'invalid-input',
      errors: [{ in: 'body', field, message: 'given more than once' }],
    });
  });

  it('may have one name in several objects, and colons, braces and quotes in its strings', () => {
    for (const text of [
      '[{"a":1},{"a":{"a":"a"}}]',
      '{"a:":"b\\":{,","c":["\\\\",":","{\\"d\\":1,\\"d\\":2}"]}',
      '{"1":1,"0":[],"2":null}',
    ]) {
      expect(parse(text)).toEqual({ value: JSON.parse(text) });
    }
  });

  it('is refused whenever a member of any object is written twice', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }),
        fc.nat(),
        (value, at) => {
          const members = Object.entries(value).map(
            ([name, inner]) => `${JSON.stringify(name)}:${JSON.stringify(inner)}`,
          );
          const twice = [...members, members[at % members.length]];
          expect(parse(`{${twice.join(' , ')}}`)).toBeInstanceOf(Problem);
        },
      ),
    );
  });

  it('may have these names as values', () => {
    expect(parse('{"a":"__proto__"}')).toEqual({ value: { a: '__proto__' } });
    expect(Object.getPrototypeOf(parse('{"a":"constructor"}'))).toBe(Object.prototype);
  });

  it('may be nested deep without harm', () => {
    const deep = `${'{"a":'.repeat(100_000)}NaN`;
    expect(parse(deep)).toMatchObject({ code: 'malformed-json' });
    const nested = `${'['.repeat(100_000)}{"__proto__":1}${']'.repeat(100_000)}`;
    expect(parse(nested)).toMatchObject({ code: 'invalid-input' });
  });
});
