import { idFromKey, type JsonObject, sha256 } from '@annals/core';
import { type DomainEvent, EventTypes, eventType } from '@annals/event-log';
import { z } from 'zod';
import type { RiskRequest, RiskScreen } from './port.ts';

/** Who is turned away. The lists are events: who put somebody on one, why, and who took them off. */

export const denyListStream = 'risk-deny-list';

export const denyListNames = ['buyer', 'card', 'seller', 'country'] as const;

/** Whose key seals what is denied: one for all lists, as a list outlives the buyers that are on it. */
export const denyListSubject = 'risk:deny-list';

/** Version 1 was not sealed: whoever had the log could find out addresses by guessing them. */
const format = {
  schemaVersion: 2,
  upcasters: { 1: (data: JsonObject) => data },
  schema: z.strictObject({
    list: z.enum(denyListNames),
    /** SHA-256 of what is denied. */
    value_hash: z.string(),
    reason: z.string(),
    decided_by: z.string(),
  }),
  personal: { subject: () => denyListSubject, fields: ['value_hash'] },
} as const;

export const denyListed = eventType({ name: 'deny-listed', ...format });
export const denyListLifted = eventType({ name: 'deny-list-lifted', ...format });

export const denyListEventTypes = [denyListed, denyListLifted] as const;
export const denyListEvents = new EventTypes([...denyListEventTypes]);
export type DenyListEvent = DomainEvent<(typeof denyListEventTypes)[number]>;
export type DenyListName = DenyListEvent['data']['list'];

export function denyListHash(list: DenyListName, value: string): string {
  return sha256(`${list} ${value.normalize('NFKC').trim().toLowerCase()}`);
}

export interface DenyListChange {
  readonly list: DenyListName;
  readonly value: string;
  readonly reason: string;
  readonly decidedBy: string;
  /** The key of the request: sent twice it is one event. */
  readonly requestId: string;
  readonly at: number;
}

/** The event of a change; undefined where it is so already. */
export function decideDenyList(
  state: DenyListScreen,
  what: 'listed' | 'lifted',
  { list, value, reason, decidedBy, requestId, at }: DenyListChange,
): DenyListEvent | undefined {
  const valueHash = denyListHash(list, value);
  if (state.holds(list, valueHash) === (what === 'listed')) return undefined;
  return {
    type: what === 'listed' ? 'deny-listed' : 'deny-list-lifted',
    id: idFromKey('deny-list', requestId),
    occurredAt: at,
    data: { list, value_hash: valueHash, reason, decided_by: decidedBy },
  };
}

/** What an entry says; without the hash where the key of the lists was destroyed. */
interface DenyListFact {
  readonly type: DenyListEvent['type'];
  readonly data: Pick<DenyListEvent['data'], 'list'> & { readonly value_hash?: string | undefined };
}

/** The fold of the list's stream, and the screen that asks it. */
export class DenyListScreen implements RiskScreen {
  readonly name = 'deny-list';
  readonly #hashes = new Map(denyListNames.map((list) => [list, new Set<string>()]));

  apply({ type, data: { list, value_hash } }: DenyListFact): void {
    if (value_hash === undefined) return;
    const hashes = this.#hashes.get(list);
    if (type === 'deny-listed') hashes?.add(value_hash);
    else hashes?.delete(value_hash);
  }

  holds(list: DenyListName, valueHash: string): boolean {
    return this.#hashes.get(list)?.has(valueHash) ?? false;
  }

  asksForCards(): boolean {
    return (this.#hashes.get('card')?.size ?? 0) > 0;
  }

  async assess({ buyer, fingerprint, seller, country }: RiskRequest) {
    const values = { buyer, card: fingerprint, seller, country };
    const lists = Object.entries(values) as [DenyListName, string | undefined][];
    const rules = lists.flatMap(([list, value]) =>
      value !== undefined && this.holds(list, denyListHash(list, value))
        ? [`deny-list:${list}`]
        : [],
    );
    return { verdict: rules.length > 0 ? 'rejected' : 'accepted', rules } as const;
  }
}
