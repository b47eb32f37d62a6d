import { KeptRows } from '@annals/projection';
import { describe, expect, test } from 'vitest';
import { changedBy, encodeChanged, TableMarks } from './changed-tables.ts';
import { KeptReads } from './kept-reads.ts';

const tables = [{ name: 'players' }];
const ann = { name: 'Ann' };

/** A look after `seq` batches were begun, each of which changed the table, and `written` of them written. */
function look(seq: number, written = seq, isKnown = true): TableMarks {
  const changed = saidOf(seq);
  return new TableMarks([
    { seq: written, started: seq, changed: isKnown ? encodeChanged(changed) : undefined },
  ]);
}

const said = new Map<number, ReturnType<typeof changedBy>>();
function saidOf(seq: number) {
  const checkpoint = { 0: String(seq).padStart(16, '0') };
  const batch = { seq, checkpoint, journal: null, changes: [{ table: 'players' }] };
  const one = said.get(seq) ?? changedBy(undefined, batch, tables);
  said.set(seq, one);
  return one;
}

const mayUse = { mayUse: true };

/** Whether a row that is loaded between the two looks is there for a read that begins with the second. */
function isKept(before: TableMarks, after: TableMarks, rows = new KeptRows(10)): boolean {
  const reads = new KeptReads(rows, before, mayUse);
  reads.loaded('players', 'ann', ann);
  expect(reads.settle(after)).toBe(true);
  return new KeptReads(rows, after, mayUse).get('players', 'ann') !== undefined;
}

describe('a row that was loaded', () => {
  test('is kept where both looks say the same, and all of it is written', () => {
    expect(isKept(look(3), look(3))).toBe(true);
  });

  test.each([
    ['a batch was begun between the looks', look(3), look(4)],
    ['a batch was being written at the first', look(3, 2), look(3)],
    ['the store went back to where a batch was being written', look(3), look(3, 2)],
    ['somebody did not say what he changes, at first', look(3, 3, false), look(3)],
    ['somebody did not say what he changes, later', look(3), look(3, 3, false)],
  ])('is not where %s', (_, before, after) => {
    expect(isKept(before, after)).toBe(false);
  });

  test('is not where a later look was told of first', () => {
    const rows = new KeptRows(10);
    const late = new KeptReads(rows, look(3), mayUse);
    late.loaded('players', 'ann', ann);
    const quick = new KeptReads(rows, look(4), mayUse);
    quick.loaded('players', 'ann', { name: 'Anna' });
    expect(quick.settle(look(4))).toBe(true);
    expect(late.settle(look(3))).toBe(true);
    expect(new KeptReads(rows, look(4), mayUse).get('players', 'ann')).toBeUndefined();
  });
});

describe('a row from memory', () => {
  const kept = () => {
    const rows = new KeptRows(10);
    expect(isKept(look(3), look(3), rows)).toBe(true);
    return rows;
  };

  test('counts where the look after says what the look before did', () => {
    const reads = new KeptReads(kept(), look(3), mayUse);
    expect(reads.get('players', 'ann')).toEqual({ row: ann });
    expect(reads.settle(look(3))).toBe(true);
  });

  test.each([
    ['changed by a batch that was begun since', look(4, 3)],
    ['perhaps changed by somebody who does not say so', look(4, 3, false)],
  ])('is wrong where it was %s, and then forgotten', (_, after) => {
    const rows = kept();
    const reads = new KeptReads(rows, look(3), mayUse);
    expect(reads.get('players', 'ann')).toEqual({ row: ann });
    expect(reads.settle(after)).toBe(false);
    expect(new KeptReads(rows, look(3), mayUse).get('players', 'ann')).toBeUndefined();
  });

  test('is none where rows are not to be kept', () => {
    const rows = new KeptRows(10);
    const never = { mayUse: true, mayKeep: false };
    const reads = new KeptReads(rows, look(3), never);
    reads.loaded('players', 'ann', ann);
    expect(reads.settle(look(3))).toBe(true);
    expect(new KeptReads(rows, look(3), mayUse).get('players', 'ann')).toBeUndefined();
    expect(new KeptReads(kept(), look(3), never).get('players', 'ann')).toBeUndefined();
  });

  test('is not used where nothing can be read again', () => {
    const reads = new KeptReads(kept(), look(3), { mayUse: false });
    expect(reads.get('players', 'ann')).toBeUndefined();
  });
});
