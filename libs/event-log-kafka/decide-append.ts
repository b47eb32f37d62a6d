import { judgeAppend, type StreamView, type Verdict } from '@annals/event-log/append-rules';
import type { AppendRecord } from './record.ts';
import { format1 } from './record-format-1.ts';

/**
 * Whether a record's append is accepted: a pure function of the records before it in its partition, so
 * that every process reaches the same verdict. A record is judged by the rules of its own format. A rule
 * that was ever used is kept and never changed: other rules are a new format.
 */

export interface PartitionView extends StreamView {
  /**
   * Whether an earlier record has settled this append id: a `void`, or a copy of this record that was
   * refused. (A copy of one that was accepted is found by its event ids.)
   */
  settled(appendId: string): boolean;
}

export type RecordVerdict = Verdict | { readonly kind: 'ignored' };

export type DecideAppend = (view: PartitionView, record: AppendRecord) => RecordVerdict;

/** The rules of each format that is known. */
export type Rules = Pick<ReadonlyMap<number, DecideAppend>, 'get'>;

export const rulesByFormat: ReadonlyMap<number, DecideAppend> = new Map([[format1, decideFormat1]]);

/** Throws RangeError for a format without rules: such a record is not for this program to judge. */
export function decideAppend(
  view: PartitionView,
  record: AppendRecord,
  rules: Rules = rulesByFormat,
): RecordVerdict {
  const decide = rules.get(record.format);
  if (!decide) throw new RangeError(`there are no rules for record format ${record.format}`);
  return decide(view, record);
}

function decideFormat1(view: PartitionView, record: AppendRecord): RecordVerdict {
  if (view.settled(record.appendId)) return { kind: 'ignored' };
  return judgeAppend(view, record.events, record.expected);
}
