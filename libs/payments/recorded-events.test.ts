import { readFileSync } from 'node:fs';
import type { DomainEvent, EventTypes, StoredEvent } from '@annals/event-log';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { describe, expect, test } from 'vitest';
import { paymentsEvents, type RecordedPaymentsEvent } from './events.ts';
import { evidenceFileEvents } from './evidence-files.ts';
import { idempotencyEvents } from './idempotency/events.ts';
import { deadLetterEvents } from './reactors/dead-letter-events.ts';
import { statementEvents } from './reconciliation/bank-statement-events.ts';
import type { RecordedSettlementEvent } from './reconciliation/events.ts';
import { evolveDay, newDay } from './reconciliation/state.ts';
import { denyListEvents } from './risk/deny-list.ts';
import { dayMarkEvents } from './runtime/day-marks.ts';
import { providerMarkEvents } from './runtime/provider-events.ts';
import { pruneMarkEvents } from './runtime/prune-marks.ts';
import { evolveSeller, type Seller } from './seller-state.ts';
import { type Checkout, evolve } from './state.ts';
import { NaiveBooks } from './testing/naive-books.ts';
import { endpointEvents, laneEvents } from './webhooks-out/events.ts';

/** Events as they were stored when their formats were new: they are in logs, and must be read for ever. */

type Recorded = Pick<StoredEvent, 'id' | 'type' | 'schemaVersion' | 'data' | 'contentHash'>;
/** `of`: the codec that it is for. `meant`: its data in plain text. */
type Fixture = Recorded & { readonly of: string; readonly meant: object };

// biome-ignore lint/suspicious/noExplicitAny: sets of types that have nothing in common.
const codecs: { readonly [of: string]: EventTypes<any> } = {
  payments: paymentsEvents,
  idempotency: idempotencyEvents,
  'dead letters': deadLetterEvents,
  'deny list': denyListEvents,
  'days of the schedule': dayMarkEvents,
  'files of evidence': evidenceFileEvents,
  'events of providers': providerMarkEvents,
  'pruned keys': pruneMarkEvents,
  'bank statements': statementEvents,
  'webhook endpoints': endpointEvents,
  'webhook deliveries': laneEvents,
};

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8')) as T;
}

/** `events-v2.json`: of types that have had a version before. */
const fixtures = ['events-v1.json', 'events-v2.json'].flatMap((name) =>
  read<readonly Fixture[]>(name),
);
const occurredAt = Date.parse('2026-11-24T12:00:00Z');

/** A cipher whose keys and nonces are always the same bytes, so that what it seals can be compared. */
function fixedCipher() {
  const randomBytes = (count: number) => Buffer.alloc(count, 7);
  return subjectCipher(memorySubjectKeyStore({ randomBytes }), { randomBytes });
}

/** As above, with the keys of everybody that these events are about. */
async function cipherFor(events: readonly Recorded[]) {
  const cipher = fixedCipher();
  const subjects = events.flatMap(({ data }) => {
    const { $personal } = JSON.parse(data) as { readonly $personal?: { readonly subject: string } };
    return $personal?.subject ?? [];
  });
  await cipher.keyring([...new Set(subjects)], { create: true });
  return cipher;
}

function stored(event: Recorded, place: Partial<StoredEvent> = {}): StoredEvent {
  const somewhere = { stream: 'checkout-x', revision: 0, partition: 0, position: '1' };
  return { ...somewhere, occurredAt, recordedAt: occurredAt, metadata: {}, ...event, ...place };
}

describe.each(Object.entries(codecs))('the stored formats of %s', (of, codec) => {
  const own = fixtures.filter((fixture) => fixture.of === of);
  const newest = own.filter(
    ({ type, schemaVersion: version }) =>
      !own.some((one) => one.type === type && one.schemaVersion > version),
  );

  test('have a recorded event for every type', () => {
    expect(newest.map(({ type }) => type).toSorted()).toEqual(codec.names.toSorted());
  });

  test('are read as they were meant', async () => {
    const decoded = await codec.decode(
      own.map((one) => stored(one)),
      await cipherFor(own),
    );
    expect(decoded.map(({ data }) => data)).toEqual(own.map(({ meant }) => meant));
  });

  test('are written today, byte for byte, as they were at first', async () => {
    const events = newest.map(({ type, id, meant: data }) => ({ type, id, data, occurredAt }));
    const encoded = await codec.encode(events as DomainEvent<never>[], fixedCipher());
    const written = encoded.kind === 'encoded' ? encoded.events : [];
    expect(
      written.map(({ id, type, schemaVersion, data, contentHash }) => {
        return { id, type, schemaVersion, data, contentHash };
      }),
    ).toEqual(
      newest.map(({ id, type, schemaVersion, data, contentHash }) => {
        return { id, type, schemaVersion, data, contentHash };
      }),
    );
  });
});

test('nothing personal is stored in plain text', () => {
  const later = fixtures.filter(({ schemaVersion }) => schemaVersion > 1);
  expect(JSON.stringify(later.map(({ meant }) => meant))).toContain('"value_hash":"aaaa');
  expect(later.map(({ data }) => data).join('\n')).not.toContain('"value_hash":"aaaa');
  const texts = fixtures.map(({ data }) => data).join('\n');
  const plain = JSON.stringify(fixtures.map(({ meant }) => meant));
  for (const secret of ['ann@example.org', 'tok_1', 'btok_1', 'whsec_1', '"state":"open"']) {
    expect(plain).toContain(secret.replaceAll('"', '\\"'));
    expect(texts).not.toContain(secret);
  }
});

interface RecordedHistory {
  readonly events: readonly (Recorded & {
    readonly stream: string;
    readonly revision: number;
    readonly occurredAt: number;
  })[];
  /** Debits less credits that are posted and pending: `account currency` to minor units. */
  readonly books: { readonly [account: string]: readonly [posted: string, pending: string] };
  /** The state of every order, and of every payout. */
  readonly orders: { readonly [order: string]: string };
  readonly payouts: { readonly [payout: string]: string };
}

test('a recorded history is replayed to the states and the books that it came to then', async () => {
  const history = read<RecordedHistory>('history-v1.json');
  const raw = history.events.map((one, at) =>
    stored(one, { position: String(at).padStart(8, '0'), recordedAt: one.occurredAt }),
  );
  const events = (await paymentsEvents.decode(
    raw,
    await cipherFor(history.events),
  )) as RecordedPaymentsEvent[];
  expect(statesOf(events)).toEqual({ orders: history.orders, payouts: history.payouts });
  const sums = new NaiveBooks(events).sums('account').map((sum) => {
    const posted = sum.postedDebit - sum.postedCredit;
    const pending = sum.pendingDebit - sum.pendingCredit;
    return [`${sum.account} ${sum.currency}`, [String(posted), String(pending)]] as const;
  });
  expect(Object.fromEntries(sums)).toEqual(history.books);
});

function statesOf(events: readonly RecordedPaymentsEvent[]) {
  const [checkouts, sellers] = [new Map<string, Checkout>(), new Map<string, Seller>()];
  const days = new Map<string, ReturnType<typeof evolveDay>>();
  for (const event of events) {
    const { stream } = event;
    if (stream.startsWith('checkout-')) {
      const after = evolve(checkouts.get(stream), event as Parameters<typeof evolve>[1]);
      if (after) checkouts.set(stream, after);
    } else if (stream.startsWith('seller-')) {
      const after = evolveSeller(sellers.get(stream), event as Parameters<typeof evolveSeller>[1]);
      if (after) sellers.set(stream, after);
    } else if (stream.startsWith('settlement-')) {
      const before = days.get(stream) ?? newDay;
      days.set(stream, evolveDay(before, event as RecordedSettlementEvent));
    }
  }
  const orders = [...checkouts.values()].flatMap(({ id, orders: own }) =>
    [...own].map(([order, { state }]) => [`${id}/${order}`, state]),
  );
  const payouts = [...sellers.values()].flatMap(({ account, payouts: own }) =>
    [...own].map(([payout, { state }]) => [`${account}/${payout}`, state]),
  );
  return { orders: Object.fromEntries(orders), payouts: Object.fromEntries(payouts) };
}
