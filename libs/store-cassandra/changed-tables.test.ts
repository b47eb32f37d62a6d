import { describe, expect, test } from 'vitest';
import {
  type ChangedTables,
  changedBy,
  decodeChanged,
  encodeChanged,
  type SaidOfBatches,
  TableMarks,
} from './changed-tables.ts';

const tables = [{ name: 'players' }, { name: 'scores' }];
const batch = (seq: number, ...changed: readonly string[]) => ({
  ...{ seq, checkpoint: { 0: String(seq).padStart(16, '0') }, journal: '{"changes":[]}' },
  changes: changed.map((table) => ({ table })),
});

describe('what is said with a batch', () => {
  test('names the tables it changes, and of the others what was said before', () => {
    const first = changedBy(undefined, batch(1, 'players', 'players'), tables);
    expect(Object.keys(first.marks)).toEqual(['players']);
    const second = changedBy(first, batch(2, 'scores', 'another'), tables);
    expect(second.seq).toBe(2);
    expect(second.marks.players).toBe(first.marks.players);
    expect(second.marks.scores).toMatch(/^2 /);
    const third = changedBy(second, batch(3), tables);
    expect(third).toMatchObject({ seq: 3, marks: second.marks });
    expect(decodeChanged(encodeChanged(third))).toEqual(third);
  });

  test('is every table where the batch before said nothing', () => {
    const first = changedBy(undefined, batch(1, 'players'), tables);
    for (const before of [undefined, first]) {
      const third = changedBy(before, batch(3, 'scores'), tables);
      expect(third.marks.players).toMatch(/^3 /);
      expect(third.marks.scores).toBe(third.marks.players);
    }
  });

  test('is said once of a batch, and anew of another one of its number', () => {
    const first = changedBy(undefined, batch(1, 'players'), tables);
    const second = changedBy(first, batch(2, 'scores'), tables);
    expect(changedBy(second, batch(2, 'scores'), tables)).toEqual(second);
    const others = [{ checkpoint: { 0: '0000000000000009' } }, { journal: null }];
    for (const other of others) {
      const anew = changedBy(second, { ...batch(2, 'scores'), ...other }, tables);
      expect(anew.marks.players).toMatch(/^2 /);
      const again = changedBy(first, { ...batch(1, 'players'), ...other }, tables);
      expect(again.marks.players).not.toBe(first.marks.players);
    }
  });
});

describe('the marks of a look', () => {
  const first = changedBy(undefined, batch(1, 'players'), tables);
  const second = changedBy(first, batch(2, 'scores'), tables);
  const fresh: SaidOfBatches = { seq: 0, started: 0, changed: undefined };
  const worker = (seq: number, started: number, changed: ChangedTables): SaidOfBatches => ({
    ...{ seq, started, changed: encodeChanged(changed) },
  });
  const look = (...workers: readonly SaidOfBatches[]) => new TableMarks(workers);

  test('are those of all workers, and stay while no batch changes the table', () => {
    const before = look(worker(1, 1, first), fresh);
    const after = look(worker(1, 2, second), fresh);
    expect(after.of('players')).toBe(before.of('players'));
    expect(after.of('scores')).not.toBe(before.of('scores'));
    const other = look(worker(1, 1, first), worker(0, 1, first));
    expect(other.of('players')).not.toBe(before.of('players'));
    expect(look(fresh, fresh).of('players')).toBe(look(fresh, fresh).of('players'));
  });

  test('are not known where a worker began a batch and did not say what it changes', () => {
    expect(look(worker(1, 2, first), fresh).of('players')).toBeUndefined();
    expect(look({ seq: 4, started: 0, changed: undefined }).of('players')).toBeUndefined();
  });

  test('a table is written when the batches of all workers that changed it last are', () => {
    const begun = worker(1, 2, second);
    expect(look(begun, fresh).isWritten('players')).toBe(true);
    expect(look(begun, fresh).isWritten('scores')).toBe(false);
    expect(look(fresh, begun).isWritten('scores')).toBe(false);
    expect(look(worker(2, 2, second), fresh).isWritten('scores')).toBe(true);
  });
});
