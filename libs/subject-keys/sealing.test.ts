import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  deriveKey,
  fingerprintText,
  openBox,
  openText,
  SealedTextError,
  sealBox,
  sealText,
  subjectSecret,
} from './sealing.ts';

const secret = subjectSecret(Buffer.alloc(32, 3));
const text = fc.string({ unit: 'grapheme' });

/** Every text that differs from `sealed` in one character. */
function withOneCharacterChanged(sealed: string): string[] {
  return [...sealed].map(
    (character, at) => sealed.slice(0, at) + (character === 'A' ? 'B' : 'A') + sealed.slice(at + 1),
  );
}

describe('published vectors', () => {
  test('AES-256-GCM: test case 16 of McGrew and Viega, as in NIST SP 800-38D', () => {
    const bytes = 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308';
    const key = createSecretKey(bytes, 'hex');
    const nonce = Buffer.from('cafebabefacedbaddecaf888', 'hex');
    // The vector's own AAD is no text, so this is test case 15's key, nonce and plaintext without AAD.
    const plaintext = Buffer.from(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
        '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255',
      'hex',
    );
    const box = sealBox(key, plaintext, '', () => nonce);
    expect(box.toString('hex')).toBe(
      'cafebabefacedbaddecaf888' +
        '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
        '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad' +
        'b094dac5d93471bdec1a502270e3cc6c',
    );
    expect(openBox(key, box, '')).toEqual(plaintext);
  });

  test('HKDF-SHA-256: without salt, one block is HMAC(HMAC(0, key), info 01), RFC 5869', async () => {
    const { createHmac } = await import('node:crypto');
    const key = randomBytes(32);
    const extracted = createHmac('sha256', Buffer.alloc(32)).update(key).digest();
    const expanded = createHmac('sha256', extracted).update('a purpose\u0001').digest();
    expect(deriveKey(createSecretKey(key), 'a purpose')).toEqual(expanded);
  });
});

describe('sealed text', () => {
  test('opens to what was sealed, in its context only', () => {
    fc.assert(
      fc.property(text, text, text, (plaintext, context, other) => {
        const sealed = sealText(secret, plaintext, context);
        expect(sealed).toMatch(/^v1\.[A-Za-z0-9_-]+$/);
        expect(openText(secret, sealed, context)).toBe(plaintext.toWellFormed());
        if (other !== context) {
          expect(() => openText(secret, sealed, other)).toThrow(SealedTextError);
        }
      }),
    );
  });

  test('is another text each time, and does not show its plaintext', () => {
    const sealed = new Set(Array.from({ length: 100 }, () => sealText(secret, 'Ann', 'e1')));
    expect(sealed.size).toBe(100);
  });

  test('does not open when one character was changed, wherever', () => {
    for (const changed of withOneCharacterChanged(sealText(secret, 'Ann', 'e1'))) {
      expect(() => openText(secret, changed, 'e1'), changed).toThrow(SealedTextError);
    }
  });

  test.each(['', 'v1.', 'v1.AAAA', 'v2.AAAA', 'Ann', 'V1.AAAA'])('does not open %j', (sealed) => {
    expect(() => openText(secret, sealed, 'e1')).toThrow(SealedTextError);
  });

  test('opens in one spelling only: no padding, no white space, no foreign characters', () => {
    const sealed = sealText(secret, 'Ann', 'e1');
    for (const spelling of [`${sealed}=`, `${sealed}\n`, `v1. ${sealed.slice(3)}`, `${sealed}!`]) {
      expect(() => openText(secret, spelling, 'e1'), spelling).toThrow(SealedTextError);
    }
  });

  test('names a version it does not know', () => {
    expect(() => openText(secret, 'v2.AAAA', 'e1')).toThrow(
      expect.objectContaining({ code: 'unknown-seal-version' }),
    );
  });

  test("does not open under another subject's key", () => {
    const sealed = sealText(secret, 'Ann', 'e1');
    expect(() => openText(subjectSecret(Buffer.alloc(32, 4)), sealed, 'e1')).toThrow(
      expect.objectContaining({ code: 'seal-broken' }),
    );
  });
});

describe('fingerprints', () => {
  test('are equal for equal texts of one subject, and for nothing else', () => {
    const other = subjectSecret(Buffer.alloc(32, 4));
    expect(fingerprintText(secret, 'Ann')).toMatch(/^[0-9a-f]{64}$/);
    expect(fingerprintText(secret, 'Ann')).toBe(fingerprintText(secret, 'Ann'));
    expect(fingerprintText(secret, 'Ann')).not.toBe(fingerprintText(secret, 'Anne'));
    expect(fingerprintText(secret, 'Ann')).not.toBe(fingerprintText(other, 'Ann'));
  });

  test('do not use the sealing key itself', () => {
    expect(secret.fingerprinting.equals(secret.sealing)).toBe(false);
  });

  test('stay as they are: stored content hashes depend on them', () => {
    expect(fingerprintText(secret, 'Ann')).toBe(
      'e2204886c8519cdf67c787dae195f2646641cd2230d0fbf081b13045adbc9a29',
    );
  });
});
