import { defineProjection, type Rows, type Table } from '@annals/projection';
import type { ReadTransaction } from '@annals/store-sqlite';
import { paymentsEvents, type RecordedOf } from '../events.ts';
import { forEveryType } from '../projections/every-type.ts';
import { type Answer, answer, type Followed, type LiveGeneration } from '../read-model/live.ts';
import { checkoutCategory, sellerCategory, settlementCategory } from '../streams.ts';
import type { BreakClass, Treatment } from './break-classes.ts';
import { reconciliationLimits as limits } from './limits.ts';
import { movementEventTypes, movementHandler, movementsTable, namesTable } from './movements.ts';
import type { BreakState } from './state.ts';

/** Every break of every day, so that finance sees what waits for it. Each row depends on one stream. */
const breaks: Table = {
  name: 'breaks',
  columns: {
    stream: 'text',
    break_id: 'text',
    psp: 'text',
    date: 'text',
    class: 'text',
    treatment: 'text',
    state: 'text',
    key: 'text',
    detail: 'text',
    assigned_to: 'text',
    requested_by: 'text',
    comments: 'integer',
    found_at: 'integer',
    changed_at: 'integer',
  },
  key: ['stream', 'break_id'],
  indexes: { queue: ['treatment', 'state', 'found_at', 'break_id', 'stream'] },
};

export interface BreakRow {
  readonly stream: string;
  readonly break_id: string;
  readonly psp: string;
  readonly date: string;
  readonly class: BreakClass;
  readonly treatment: Treatment;
  readonly state: BreakState;
  readonly key: string;
  readonly detail: string;
  readonly assigned_to: string | null;
  readonly requested_by: string | null;
  readonly comments: number;
  readonly found_at: number;
  readonly changed_at: number;
}

type OfOneBreak = RecordedOf<
  | 'break-corrected'
  | 'break-assigned'
  | 'break-commented'
  | 'break-resolution-requested'
  | 'break-resolution-rejected'
  | 'break-resolved'
  | 'break-cleared'
>;

function oneBreak<Event extends OfOneBreak>(
  changeOf: (row: BreakRow, event: Event) => Partial<BreakRow>,
) {
  return {
    touches: ({ stream, data }: Event) => [{ table: 'breaks', key: [stream, data.break_id] }],
    apply: (event: Event, rows: Rows) => {
      const { stream, data, occurredAt: changed_at } = event;
      const row = rows.get('breaks', [stream, data.break_id]) as BreakRow | undefined;
      if (!row) throw new Error(`${stream}: ${event.type} of a break that was not found before`);
      rows.put('breaks', { ...row, ...changeOf(row, event), changed_at });
    },
  };
}

const foundBreaks = {
  touches: ({ stream, data }: RecordedOf<'breaks-found'>) =>
    data.breaks.map(({ break_id }) => ({ table: 'breaks', key: [stream, break_id] })),
  apply: (event: RecordedOf<'breaks-found'>, rows: Rows) => {
    const { stream, data, occurredAt } = event;
    const { psp, date } = data;
    for (const { break_id, class: of, treatment, key, detail = '' } of data.breaks) {
      const state = treatment === 'wait' ? 'waiting' : 'open';
      rows.put('breaks', {
        ...{ stream, break_id, psp, date, class: of, treatment, state, key, detail },
        ...{ assigned_to: null, requested_by: null, comments: 0 },
        ...{ found_at: occurredAt, changed_at: occurredAt },
      });
    }
  },
};

export const reconciliationProjection = defineProjection({
  name: 'reconciliation',
  version: 3,
  categories: [settlementCategory, checkoutCategory, sellerCategory],
  tables: [breaks, movementsTable, namesTable],
  split: 'stream',
  onFailure: 'park',
  types: paymentsEvents,
  handlers: {
    ...forEveryType((name) => (movementEventTypes.has(name) ? movementHandler : 'ignored')),
    'settlement-file-received': 'ignored',
    'reconciliation-finished': 'ignored',
    'settlement-booked': 'ignored',
    'breaks-found': foundBreaks,
    'break-corrected': oneBreak<RecordedOf<'break-corrected'>>(() => ({ state: 'corrected' })),
    'break-assigned': oneBreak<RecordedOf<'break-assigned'>>((_, { data }) => {
      return { assigned_to: data.to };
    }),
    'break-commented': oneBreak<RecordedOf<'break-commented'>>(({ comments }) => {
      return { comments: comments + 1 };
    }),
    'break-resolution-requested': oneBreak<RecordedOf<'break-resolution-requested'>>(
      (_, { data }) => {
        return { state: 'proposed', requested_by: data.by };
      },
    ),
    'break-resolution-rejected': oneBreak<RecordedOf<'break-resolution-rejected'>>(() => {
      return { state: 'open', requested_by: null };
    }),
    'break-resolved': oneBreak<RecordedOf<'break-resolved'>>(() => ({ state: 'resolved' })),
    'break-cleared': oneBreak<RecordedOf<'break-cleared'>>(() => {
      return { state: 'cleared', requested_by: null };
    }),
  },
});

/** A break that waits for somebody. Times are milliseconds since 1970. */
export interface QueuedBreak {
  readonly breakId: string;
  readonly psp: string;
  readonly date: string;
  readonly class: BreakClass;
  readonly state: BreakState;
  readonly key: string;
  readonly detail: string;
  readonly assignedTo?: string;
  /** Who asked for a resolution that waits for another person. */
  readonly requestedBy?: string;
  readonly comments: number;
  readonly foundAt: number;
}

export interface QueueQuery {
  readonly queue: 'finance' | 'special';
  /** `open`: nobody has asked to resolve it; `proposed`: waits for its second person. */
  readonly state: 'open' | 'proposed';
  /** The last of the page before. */
  readonly after?: Pick<QueuedBreak, 'foundAt' | 'breakId'>;
  readonly limit: number;
}

export interface QueuesReadModel extends Followed {
  /** The oldest first. Throws RangeError for a limit that is out of bounds. */
  queue(query: QueueQuery): Promise<Answer<{ readonly breaks: readonly QueuedBreak[] }>>;
}

/** Breaks that wait for somebody, by queue; undefined where the read model is lost. */
export async function waitingBreaks(
  queues: Pick<QueuesReadModel, 'queue'>,
): Promise<{ readonly finance: number; readonly special: number } | undefined> {
  const counts = { finance: 0, special: 0 };
  for (const queue of ['finance', 'special'] as const) {
    for (const state of ['open', 'proposed'] as const) {
      let after: QueueQuery['after'];
      do {
        const query = { queue, state, limit: limits.queuePageMax, ...(after ? { after } : {}) };
        const page = await queues.queue(query);
        if (page.kind === 'lost') return undefined;
        counts[queue] += page.breaks.length;
        after = page.breaks.length < query.limit ? undefined : page.breaks.at(-1);
      } while (after && counts[queue] < limits.waitingCountedMax);
    }
  }
  return counts;
}

/** Every query of this read model. */
export const queuesSql = {
  queue: `SELECT break_id, psp, date, class, state, key, detail, assigned_to, requested_by, comments, found_at
    FROM breaks WHERE treatment = ? AND state = ? AND (found_at, break_id) > (?, ?)
    ORDER BY found_at, break_id LIMIT ? + 0`,
} as const;

export function sqliteQueuesReadModel(live: LiveGeneration): QueuesReadModel {
  return {
    queue: async (query) => {
      const checked = checkedQueue(query);
      return answer(live, (reads) => ({ breaks: queueOf(reads, checked) }));
    },
    waitFor: (checkpoint, timeoutMs, signal) => live.waitFor(checkpoint, timeoutMs, signal),
  };
}

/** The query itself. Throws RangeError for a limit that is out of bounds. */
export function checkedQueue(query: QueueQuery): QueueQuery {
  if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > limits.queuePageMax) {
    throw new RangeError(`the limit must be 1 to ${limits.queuePageMax}`);
  }
  return query;
}

function queueOf(reads: ReadTransaction, { queue, state, after, limit }: QueueQuery) {
  const from = [after?.foundAt ?? -1, after?.breakId ?? ''];
  const rows = reads.all<BreakRow>(queuesSql.queue, queue, state, ...from, limit);
  return rows.map(queuedBreak);
}

export function queuedBreak(row: BreakRow): QueuedBreak {
  const { break_id: breakId, psp, date, key, detail, comments, found_at: foundAt } = row;
  return {
    ...{ breakId, psp, date, class: row.class, state: row.state, key, detail, comments, foundAt },
    ...(row.assigned_to === null ? {} : { assignedTo: row.assigned_to }),
    ...(row.requested_by === null ? {} : { requestedBy: row.requested_by }),
  };
}
