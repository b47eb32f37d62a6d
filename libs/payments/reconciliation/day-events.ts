import { idFromKey } from '@annals/core';
import type { SettlementEvent } from './events.ts';
import type { TrackedBreak } from './state.ts';

/** Whose day a command is about, and when. */
export interface OfDay {
  readonly psp: string;
  readonly date: string;
  readonly at: number;
}

export function named({ psp, date }: OfDay): { readonly psp: string; readonly date: string } {
  return { psp, date };
}

/** An event of a day; what it is about, `key`, makes its id. */
export function event(
  type: SettlementEvent['type'],
  of: OfDay,
  key: readonly string[],
  data: object,
): SettlementEvent {
  const id = idFromKey('settlement', of.psp, of.date, ...key);
  return { type, id, occurredAt: of.at, data } as SettlementEvent;
}

type ClearedBecause = Extract<
  SettlementEvent,
  { readonly type: 'break-cleared' }
>['data']['reason'];

export function cleared(of: OfDay, break_id: string, reason: ClearedBecause): SettlementEvent {
  return event('break-cleared', of, ['cleared', break_id], { ...named(of), break_id, reason });
}

/** Whether it waits for somebody. */
export function isOpen({ state }: TrackedBreak): boolean {
  return state === 'open' || state === 'proposed';
}
