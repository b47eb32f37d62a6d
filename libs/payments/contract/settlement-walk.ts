import type { SeededRandom } from '@annals/projection/testing';
import { type Decided, decided, type Refused } from '../outcome.ts';
import type { OfDay } from '../reconciliation/day-events.ts';
import {
  approveResolution,
  assign,
  comment,
  finishRun,
  mendedBreaks,
  receiveFile,
  recordBreaks,
  rejectResolution,
  requestResolution,
} from '../reconciliation/decide.ts';
import type { SettlementEvent } from '../reconciliation/events.ts';
import { type Break, broken } from '../reconciliation/match-key.ts';
import type { Movement } from '../reconciliation/movement.ts';
import type { SettlementDay, TrackedBreak } from '../reconciliation/state.ts';

/** What may go wrong between a settlement file and our side: one that is right, and what else the other side may say. */
interface Around {
  readonly of: OfDay;
  /** A movement of ours; undefined while nothing has moved. */
  readonly ours: Movement | undefined;
  readonly currencies: readonly string[];
  readonly sellers: readonly string[];
}

/** The next thing that happens to a day of reconciliation, in a random history. */
export function settlementStep(
  random: SeededRandom,
  day: SettlementDay,
  { of, ours, currencies, sellers }: Around,
): Decided<SettlementEvent> | Refused {
  const sha256 = `file-${random.int(1, 3)}`;
  const tracked = day.breaks.size > 0 ? random.pick([...day.breaks.values()]) : undefined;
  switch (random.int(0, 5)) {
    case 0:
      return receiveFile(day, { ...of, sha256, format: 'csv' });
    case 1: {
      const settled = currencies.map((currency) => {
        const [bank, fees] = [random.int(-900, 9_000), random.int(-9, 90)];
        return [currency, { bank: BigInt(bank), fees: BigInt(fees) }] as const;
      });
      const counts = { sha256, lines: 3, entries: 3, matched: 3, breaks: 0 };
      return finishRun(day, { ...of, ...counts, settled: new Map(settled) });
    }
    case 2: {
      if (!ours) return decided();
      const breaks = [breakAbout(random, ours)];
      return recordBreaks(day, { ...of, sha256, breaks, mended: mendedBreaks(day) });
    }
    default:
      return tracked ? workOn(random, day, of, tracked, sellers) : decided();
  }
}

function breakAbout(random: SeededRandom, ours: Movement): Break {
  const theirs = { ...ours, id: `txn_${ours.id}` };
  const more = BigInt(random.int(2, 40));
  switch (random.int(0, 4)) {
    case 0:
      return broken('fee_mismatch', ours.key, { ...theirs, fee: ours.fee + more }, ours);
    case 1:
      return broken('rounding', ours.key, { ...theirs, amount: ours.amount - 1n }, ours);
    case 2:
      return broken('amount_mismatch', ours.key, { ...theirs, amount: ours.amount + more }, ours);
    case 3:
      return broken('missing_in_ledger', ours.key, theirs, undefined);
    default:
      return { ...broken('unidentified_row', 'line 3', undefined, undefined), line: 3 };
  }
}

function workOn(
  random: SeededRandom,
  day: SettlementDay,
  of: OfDay,
  { found, state, proposal }: TrackedBreak,
  sellers: readonly string[],
): Decided<SettlementEvent> | Refused {
  const command = { ...of, breakId: found.break_id, by: 'ann' };
  if (proposal) {
    const second = { ...command, by: 'ben' };
    return random.chance(80)
      ? approveResolution(day, second)
      : rejectResolution(day, { ...second, reason: 'no voucher' });
  }
  if (state !== 'open' || random.chance(20)) {
    return comment(day, { ...command, comment: 'asked the provider' });
  }
  if (random.chance(20)) return assign(day, { ...command, to: 'ben' });
  const [outside, ledger] = [found.outside, found.ledger];
  const off = outside ? BigInt(outside.amount) - BigInt(ledger?.amount ?? '0') : 0n;
  const fee = outside && !ledger ? BigInt(outside.fee) : 0n;
  if (!outside || off <= 0n) return requestResolution(day, { ...command, reason: 'as it is' });
  const account = random.pick(['suspense', 'losses', `seller_available:${random.pick(sellers)}`]);
  const lines = [
    { debit: 'psp_clearing', credit: account, amount: String(off) },
    ...(fee > 0n ? [{ debit: 'psp_fees', credit: 'psp_clearing', amount: String(fee) }] : []),
  ];
  const entry = { currency: outside.currency, lines };
  return requestResolution(day, { ...command, reason: 'the provider says so', entry });
}
