import type { CorrectingEntry, SettlementEvent, StoredBreak, StoredSettled } from './events.ts';

export const breakStates = [
  'waiting',
  'open',
  'proposed',
  'corrected',
  'resolved',
  'cleared',
] as const;
export type BreakState = (typeof breakStates)[number];

/**
 * What may follow what. `waiting` ends here: the movement is compared again in the stream of the next file.
 */
export const breakMoves: { readonly [From in BreakState]: readonly BreakState[] } = {
  waiting: [],
  open: ['proposed', 'corrected', 'cleared'],
  proposed: ['open', 'corrected', 'resolved', 'cleared'],
  corrected: [],
  resolved: [],
  cleared: [],
};

export interface TrackedBreak {
  readonly found: StoredBreak;
  readonly state: BreakState;
  readonly assignedTo?: string;
  readonly comments: number;
  /** Whether the two sides have agreed since: a break that is found again is then another one. */
  readonly mended: boolean;
  readonly proposal?: {
    readonly by: string;
    readonly reason: string;
    readonly entry?: CorrectingEntry;
    readonly settles?: StoredSettled;
  };
}

/** One provider's day. */
export interface SettlementDay {
  /** Events so far, so that each decision has ids of its own. */
  readonly events: number;
  /** Hashes of files that were taken, and of those that were compared to their end. */
  readonly files: ReadonlySet<string>;
  readonly finished: ReadonlySet<string>;
  /** Of the finished ones, those that were no upload: what they say was booked. */
  readonly booked: ReadonlySet<string>;
  readonly breaks: ReadonlyMap<string, TrackedBreak>;
  /** What was booked of the day's files, by currency. */
  readonly settled: ReadonlyMap<string, Settled>;
}

/** What left the balance at a provider, in minor units of one currency: to the bank, and as fees of no single payment. */
export interface Settled {
  readonly bank: bigint;
  readonly fees: bigint;
}

export const nothingSettled: Settled = { bank: 0n, fees: 0n };

export const newDay: SettlementDay = {
  events: 0,
  files: new Set(),
  finished: new Set(),
  booked: new Set(),
  breaks: new Map(),
  settled: new Map(),
};

type Told = Pick<SettlementEvent, 'type' | 'data'>;

export function evolveDay(before: SettlementDay, event: Told): SettlementDay {
  const day = { ...before, events: before.events + 1 };
  const { type, data } = event as SettlementEvent;
  switch (type) {
    case 'settlement-file-received':
      return { ...day, files: new Set([...day.files, data.sha256]) };
    case 'reconciliation-finished':
      return {
        ...day,
        finished: new Set([...day.finished, data.sha256]),
        booked: data.uploaded_by === undefined ? new Set([...day.booked, data.sha256]) : day.booked,
      };
    case 'settlement-booked':
      return settledBy(day, data);
    case 'breaks-found': {
      const breaks = new Map(day.breaks);
      for (const found of data.breaks) {
        const state = found.treatment === 'wait' ? 'waiting' : 'open';
        breaks.set(found.break_id, { found, state, comments: 0, mended: false });
      }
      return { ...day, breaks };
    }
    case 'break-corrected':
      return changed(day, data.break_id, (one) => {
        return { ...withoutProposal(moved(one, 'corrected')), mended: true };
      });
    case 'break-assigned':
      return changed(day, data.break_id, (one) => ({ ...one, assignedTo: data.to }));
    case 'break-commented':
      return changed(day, data.break_id, (one) => ({ ...one, comments: one.comments + 1 }));
    case 'break-resolution-requested': {
      const { by, reason, entry, settles } = data;
      const proposal = {
        ...{ by, reason, ...(entry ? { entry } : {}) },
        ...(settles ? { settles } : {}),
      };
      return changed(day, data.break_id, (one) => ({ ...moved(one, 'proposed'), proposal }));
    }
    case 'break-resolution-rejected':
      return changed(day, data.break_id, (one) => withoutProposal(moved(one, 'open')));
    case 'break-resolved': {
      const resolved = changed(day, data.break_id, (one) => {
        return { ...moved(one, 'resolved'), mended: (data.entry?.movements.length ?? 0) > 0 };
      });
      return data.settles ? settledBy(resolved, data.settles) : resolved;
    }
    case 'break-cleared':
      return changed(day, data.break_id, (one) => {
        return { ...withoutProposal(moved(one, 'cleared')), mended: true };
      });
  }
}

function settledBy(
  day: SettlementDay,
  { currency, to_bank, from_bank, fees, fees_returned }: StoredSettled,
): SettlementDay {
  const before = day.settled.get(currency) ?? nothingSettled;
  const after = {
    bank: before.bank + BigInt(to_bank) - BigInt(from_bank),
    fees: before.fees + BigInt(fees) - BigInt(fees_returned),
  };
  return { ...day, settled: new Map(day.settled).set(currency, after) };
}

/** A stream holds what its state table does not allow: the log was written by something else, or by a fault. */
export class ForbiddenBreakMoveError extends Error {
  readonly code = 'forbidden-break-move';
  constructor(id: string, from: string, to: string) {
    super(`break ${id} cannot go from ${from} to ${to}`);
    this.name = 'ForbiddenBreakMoveError';
  }
}

function moved(one: TrackedBreak, to: BreakState): TrackedBreak {
  if (!breakMoves[one.state].includes(to)) {
    throw new ForbiddenBreakMoveError(one.found.break_id, one.state, to);
  }
  return { ...one, state: to };
}

function withoutProposal({ proposal: _, ...rest }: TrackedBreak): TrackedBreak {
  return rest;
}

function changed(
  day: SettlementDay,
  id: string,
  change: (one: TrackedBreak) => TrackedBreak,
): SettlementDay {
  const one = day.breaks.get(id);
  if (!one) throw new ForbiddenBreakMoveError(id, 'nothing', 'something');
  return { ...day, breaks: new Map(day.breaks).set(id, change(one)) };
}
