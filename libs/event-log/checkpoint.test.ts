import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  advance,
  covers,
  coversAll,
  decodeCheckpoint,
  encodeCheckpoint,
  partitionsOf,
  sameCheckpoint,
} from './checkpoint.ts';
import type { Checkpoint } from './port.ts';

const checkpoints: fc.Arbitrary<Checkpoint> = fc.dictionary(
  fc.nat({ max: 99_999 }).map(String),
  fc.stringMatching(/^[0-9A-Za-z._]{1,64}$/),
);

describe('a checkpoint', () => {
  test('covers what stands at or before its position, in that partition only', () => {
    const checkpoint = { 0: '0005', 2: '0009' };
    expect(covers(checkpoint, 0, '0005')).toBe(true);
    expect(covers(checkpoint, 0, '0004')).toBe(true);
    expect(covers(checkpoint, 0, '0006')).toBe(false);
    expect(covers(checkpoint, 1, '0001')).toBe(false);
    expect(covers({}, 0, '0000')).toBe(false);
  });

  test('covers another one partition by partition; two may each lack something of the other', () => {
    expect(coversAll({ 0: '5', 1: '5' }, { 0: '5' })).toBe(true);
    expect(coversAll({ 0: '5' }, { 0: '5', 1: '1' })).toBe(false);
    expect(coversAll({ 0: '5', 1: '1' }, { 0: '4', 1: '2' })).toBe(false);
    expect(coversAll({}, {})).toBe(true);
    expect(sameCheckpoint({ 0: '5' }, { 0: '5' })).toBe(true);
    expect(sameCheckpoint({ 0: '5' }, {})).toBe(false);
  });

  test('advances, and never goes back', () => {
    expect(advance({ 0: '5' }, 0, '6')).toEqual({ 0: '6' });
    expect(advance({ 0: '5' }, 1, '1')).toEqual({ 0: '5', 1: '1' });
    const there = { 0: '5' };
    expect(advance(there, 0, '4')).toBe(there);
  });

  test('names its partitions as numbers in order', () => {
    expect(partitionsOf({ 10: 'a', 9: 'b', 0: 'c' })).toEqual([0, 9, 10]);
  });
});

describe('its text', () => {
  test('reads as 0:0000000000000042,1:…', () => {
    expect(encodeCheckpoint({ 1: '7', 0: '0000000000000042' })).toBe('0:0000000000000042,1:7');
    expect(encodeCheckpoint({})).toBe('');
    expect(decodeCheckpoint('')).toEqual({});
  });

  test('gives every checkpoint back', () => {
    fc.assert(
      fc.property(checkpoints, (checkpoint) => {
        expect(decodeCheckpoint(encodeCheckpoint(checkpoint))).toEqual({ ...checkpoint });
      }),
    );
  });

  test.each([
    ' ',
    '0',
    '0:',
    ':1',
    '0:1,',
    ',0:1',
    '0:1;1:2',
    '-1:1',
    '1.5:1',
    '0x1:1',
    '0: 1',
    '0:é',
    '__proto__:1',
    '123456:1',
    `0:${'1'.repeat(65)}`,
    '0:1\n',
    '0:1,0:2',
    '00:1',
    '1:1,0:1',
  ])('%j is no checkpoint', (text) => {
    expect(decodeCheckpoint(text)).toBeUndefined();
  });
});
