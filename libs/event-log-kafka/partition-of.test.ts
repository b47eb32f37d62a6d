import { expect, test } from 'vitest';
import { partitionOf } from './partition-of.ts';

test('these streams live in these partitions, for ever', () => {
  const homes = ['sample-1', 'scores-default~17', 'mail-Zoë 日本 💥', 'a-b'].map((stream) => [
    stream,
    partitionOf(stream, 1),
    partitionOf(stream, 4),
    partitionOf(stream, 60),
  ]);
  expect(homes).toEqual([
    ['sample-1', 0, 3, 7],
    ['scores-default~17', 0, 2, 2],
    ['mail-Zoë 日本 💥', 0, 1, 57],
    ['a-b', 0, 2, 58],
  ]);
});

test('text and its UTF-8 bytes have one home', () => {
  expect(partitionOf(Buffer.from('mail-Zoë 💥'), 97)).toBe(partitionOf('mail-Zoë 💥', 97));
});

test('streams with numbers for ids spread evenly', () => {
  const counts = Array.from({ length: 16 }, () => 0);
  for (let id = 0; id < 16_000; id += 1) counts[partitionOf(`sample-${id}`, 16)]! += 1;
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(200);
});
