import { sampleEvent } from '@annals/event-log/contract';
import type { ResolvedEvent } from '@eventstore/db-client';
import { expect, test } from 'vitest';
import { envelopeOf, followedEvent } from './event-envelope.ts';

const sent = envelopeOf(sampleEvent(), 1_000, { id: 'append', events: 1 });

/** As the client gives an event back. */
function told(of: { readonly metadata?: unknown; readonly data?: unknown } = {}) {
  const { id, type, data, metadata } = { ...sent, ...of };
  const place = { revision: 0n, position: { commit: 7n, prepare: 7n } };
  const event = { streamId: 'p.sample-1', id, type, data, metadata, ...place };
  return followedEvent({ event } as unknown as ResolvedEvent);
}

test('an event of ours is known again', () => {
  expect(told()?.ours).toMatchObject({ stampedAt: 1_000, head: { id: 'append', events: 1 } });
  expect(told()?.newerFormat).toBeUndefined();
});

test('one of a later format is ours, though nothing else of it can be read', () => {
  const metadata = { ...(sent.metadata as object), f: 2, v: 'one' };
  expect(told({ metadata })).toMatchObject({ ours: undefined, newerFormat: 2 });
});

test.each([
  ['no metadata', undefined],
  ['metadata of others', { f: 7 }],
  ['a format that is no number', { ...(sent.metadata as object), f: 'x' }],
])('%s: not of ours, and not of a later format', (_what, metadata) => {
  expect(told({ metadata })).toMatchObject({ ours: undefined, newerFormat: undefined });
});

test('data that are no bytes are not ours', () => {
  expect(told({ data: {} })?.ours).toBeUndefined();
});
