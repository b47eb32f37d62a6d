import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { holdsPan } from './pan.ts';

/** Numbers that card networks give out for tests. */
const pans = [
  '4242424242424242',
  '4000056655665556',
  '5555555555554444',
  '2223003122003222',
  '378282246310005',
  '6011111111111117',
  '3056930009020004',
  '3566002020360505',
  '6200000000000005',
];

describe('a card number in a text', () => {
  it('is found, however its digits are set apart', () => {
    for (const pan of pans) {
      const inFours = pan.match(/.{1,4}/g) ?? [];
      for (const text of [pan, inFours.join(' '), inFours.join('-'), `card ${pan}, please`]) {
        expect(holdsPan(text), text).toBe(true);
      }
    }
    expect(holdsPan('４２４２４２４２４２４２４２４２')).toBe(true);
    expect(holdsPan(`order 17: ${pans[0]} 12/29`)).toBe(true);
    expect(holdsPan('17 4242 4242 4242 4242 12')).toBe(true);
  });

  it('is found in groups as on a card, whatever stands between them', () => {
    const apart = ['  ', ', ', ' - ', '\u2013', ' | ', '+', ':', '*', '\u200b', '\u2060-', '\n'];
    for (const between of apart) {
      for (const pan of pans) {
        const text = (pan.match(/.{1,4}/g) ?? []).join(between);
        expect(holdsPan(`card ${text} of mine`), JSON.stringify(text)).toBe(true);
      }
      expect(holdsPan([...'4242424242424242'].join(between)), between).toBe(true);
      expect(holdsPan(['3782', '822463', '10005'].join(between)), between).toBe(true);
    }
  });

  it('is not seen in numbers of other lengths, one beside the other', () => {
    for (const text of [
      '42424242, 4242, 4242',
      '424242 , 424242 , 4242',
      '42.424242, 42.42424242',
    ]) {
      expect(holdsPan(text), text).toBe(false);
    }
  });

  it('is not seen in what is none', () => {
    const none = [
      '',
      'tok_visa',
      'pm_card_visa',
      '4242424242424241',
      '1234567890123452',
      '0000000000000000',
    ];
    for (const text of [...none, '2026-11-25T20:15:00.000Z', '+49 30 901820', 'checkout-1999']) {
      expect(holdsPan(text), text).toBe(false);
    }
  });

  it('is not found by one wrong digit', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...pans),
        fc.nat(14),
        fc.integer({ min: 1, max: 9 }),
        (pan, at, more) => {
          const digit = (Number(pan[at]) + more) % 10;
          expect(holdsPan(`${pan.slice(0, at)}${digit}${pan.slice(at + 1)}`)).toBe(false);
        },
      ),
    );
  });
});
