import type { DecideAppend } from '../decide-append.ts';
import { format1 } from '../record-format-1.ts';
import { formatsOf, recordFormats as known } from '../record-formats.ts';

/** A program with a fault: by its rules of format 1 a stream that must not exist may exist. */
const decide: DecideAppend = (view, record) => {
  const right = known.get(format1)?.decide;
  if (!right) throw new Error('the rules of format 1 are gone');
  const expected = record.expected === 'no-stream' ? 'any' : record.expected;
  return right(view, { ...record, expected });
};

export const recordFormats = formatsOf(
  [...known.values()].map((format) => ({ ...format, decide })),
);
