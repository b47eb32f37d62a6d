import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { v5 } from 'uuid';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  annalsVersion,
  canonicalJson,
  configFrom,
  fileProblem,
  hmacSha256,
  idFromHex,
  idFromKey,
  isId,
  newId,
  sha256,
  systemClock,
} from './index.ts';

describe('ids', () => {
  test('the same key gives the same id, on every machine', () => {
    expect(idFromKey('score', 'default', 'm1', 'ann')).toBe('e1557cf3-5a7f-586b-ba1b-a5626550583c');
  });

  test('hex digits and the id they are go back and forth', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.constantFrom('', 'ab'), (id, rest) => {
        expect(idFromHex(id.replaceAll('-', '') + rest)).toBe(id);
      }),
    );
  });

  test('an id is the UUIDv5 of the parts with their lengths', () => {
    const namespace = v5('annals', v5.DNS);
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (parts) => {
        const name = parts.map((part) => `${part.length}:${part}`).join('');
        expect(idFromKey(...parts)).toBe(v5(name, namespace));
      }),
    );
    for (const units of [330, 331, 332, 1_000, 10_000]) {
      for (const one of ['a', '€']) {
        const part = one.repeat(units);
        expect(idFromKey(part)).toBe(v5(`${units}:${part}`, namespace));
      }
    }
  });

  test('half a character makes no id', () => {
    expect(() => idFromKey('a', '\ud800')).toThrow(URIError);
  });

  test('parts are told apart wherever the border between them is', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.array(fc.string()), (a, b) => {
        const same = a.length === b.length && a.every((part, i) => part === b[i]);
        expect(idFromKey(...a) === idFromKey(...b)).toBe(same);
      }),
    );
    expect(idFromKey('a', 'bc')).not.toBe(idFromKey('ab', 'c'));
  });

  test('only canonical lower-case UUIDs are ids', () => {
    expect(isId(newId())).toBe(true);
    expect(isId(idFromKey('x'))).toBe(true);
    expect(isId(newId().toUpperCase())).toBe(false);
    expect(isId('not-an-id')).toBe(false);
    expect(isId(`{${newId()}}`)).toBe(false);
  });
});

describe('canonical JSON', () => {
  test('the order of members makes no difference, the order of items does', () => {
    expect(canonicalJson({ b: 1, a: [2, 1] })).toBe('{"a":[2,1],"b":1}');
    expect(canonicalJson({ a: [1, 2], b: 1 })).not.toBe(canonicalJson({ b: 1, a: [2, 1] }));
  });

  test('it parses back to the value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test('what JSON cannot carry is refused', () => {
    expect(() => canonicalJson({ points: Number.NaN })).toThrow();
    expect(() => canonicalJson(undefined)).toThrow(TypeError);
  });
});

describe('hashes', () => {
  test('agree with the published vectors', () => {
    // FIPS 180-4 example "abc"; RFC 4231 test case 2.
    expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(hmacSha256(Buffer.from('Jefe'), 'what do ya want for nothing?')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });
});

describe('the clock', () => {
  test('an aborted sleep ends at once and does not reject', async () => {
    const stop = new AbortController();
    const slept = systemClock.sleep(3_600_000, stop.signal);
    stop.abort();
    await slept;
    await systemClock.sleep(3_600_000, stop.signal);
  });
});

describe('an error of the file system', () => {
  test.each([
    [
      'a file in place of a folder',
      () => mkdirSync('/dev/null/x'),
      /^\/dev\/null\/x .*not a folder$/,
    ],
    ['nothing there', () => readFileSync('/nowhere/x'), /^\/nowhere\/x .*no such file or folder$/],
    ['a folder in place of a file', () => readFileSync('/'), undefined],
  ])('of %s is told as a sentence', (_name, fail, sentence) => {
    let error: unknown;
    try {
      fail();
    } catch (thrown) {
      error = thrown;
    }
    // Reading a folder fails without a path: there is nothing to say of a file.
    if (sentence) expect(fileProblem(error)?.sentence).toMatch(sentence);
    else expect(fileProblem(error)).toBeUndefined();
  });

  test('is not any other error', () => {
    for (const other of [
      new Error('no'),
      'no',
      undefined,
      Object.assign(new Error(), { code: 1 }),
    ]) {
      expect(fileProblem(other)).toBeUndefined();
    }
  });
});

test('the version is that of the packages', () => {
  for (const above of ['.', '../..']) {
    const file = join(import.meta.dirname, above, 'package.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: annalsVersion });
  }
});

describe('configuration', () => {
  const schema = z.object({ PORT: z.coerce.number().int().min(1).max(65_535).default(8080) });

  test('reads values and defaults', () => {
    expect(configFrom(schema, {})).toEqual({ kind: 'configured', value: { PORT: 8080 } });
    expect(configFrom(schema, { PORT: '81' })).toMatchObject({ value: { PORT: 81 } });
  });

  test('a problem names its variable', () => {
    const configured = configFrom(schema, { PORT: 'eighty' });
    expect(configured.kind).toBe('invalid');
    expect(configured.kind === 'invalid' && configured.problems[0]).toMatch(/^PORT: /);
  });
});
