import { expect, test } from 'vitest';
import { areMixed, ownStream } from './own-stream.ts';

test.each([
  ['cut', 'cutsample-1', 'sample-1'],
  ['cut', 'cut2sample-1', undefined],
  ['cut', 'cut.sample-1', undefined],
  ['cut', 'cutssample-1', 'ssample-1'],
  ['', 'sample-1', 'sample-1'],
  ['', 'cut.sample-1', undefined],
  ['cut.', 'cut.hello', undefined],
  ['cut.', 'dry.sample-1', undefined],
])('with the prefix %j, %s is %s', (prefix, stream, own) => {
  expect(ownStream(prefix, stream)).toBe(own);
});

test.each([
  ['cut', 'cut', false],
  ['cut', 'cut2', false],
  ['cut', 'cut.', false],
  ['cut', 'cuts', true],
  ['cut', 'cuts.', false],
  ['cut', 'cuts-', true],
  ['cut-', 'cut-s-', true],
  ['cut.', 'cut.s.', false],
  ['', 'cut.', false],
  ['', 'cut', true],
  ['', 'cut-s.', true],
  ['cut', 'dry', false],
])('%j and %j: %s', (one, other, mixed) => {
  expect(areMixed(one, other)).toBe(mixed);
  expect(areMixed(other, one)).toBe(mixed);
});
