import { sampleEvent } from '@annals/event-log/contract';
import { describe, expect, test } from 'vitest';
import { decideAppend, type PartitionView } from './decide-append.ts';
import type { AppendRecord } from './record.ts';
import { freshAppendId, unwitnessed } from './testing/sample-records.ts';

const { metadata: _, ...event } = { ...sampleEvent(), metadata: undefined };
const record: AppendRecord = {
  ...{ kind: 'append', format: 1, appendId: freshAppendId(), witness: unwitnessed },
  ...{ stream: 'sample-1', expected: 3, stampedAt: 0 },
  events: [{ ...event, metadata: null, recordedAt: null }],
};

function view(head: PartitionView['head'], settled = false): PartitionView {
  return { head, known: () => undefined, settled: () => settled };
}

describe('decideAppend, format 1', () => {
  test('accepts what meets its expected revision, and names the first revision', () => {
    expect(decideAppend(view(3), record)).toEqual({ kind: 'accept', firstRevision: 4 });
  });

  test('a conflict has what was expected and what is there', () => {
    const conflict = { kind: 'conflict', expected: 3, actual: 5 };
    expect(decideAppend(view(5), record)).toEqual(conflict);
  });

  test('any never conflicts', () => {
    for (const head of ['no-stream', 0, 7] as const) {
      expect(decideAppend(view(head), { ...record, expected: 'any' }).kind).toBe('accept');
    }
  });

  test('an append id that is settled does not count, whatever the stream holds', () => {
    expect(decideAppend(view(3, true), record)).toEqual({ kind: 'ignored' });
    const known = () => ({ revision: 0, contentHash: record.events[0]!.contentHash });
    expect(decideAppend({ ...view(3, true), known }, record)).toEqual({ kind: 'ignored' });
  });

  test('a format without rules is nothing it may judge', () => {
    expect(() => decideAppend(view(3), { ...record, format: 2 })).toThrow(RangeError);
  });
});
