import type { SubjectCipher } from '@annals/core';
import { EventTypes, eventType, type StoredEvent } from '@annals/event-log';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineProjection, type ProjectionDefinition, type Table } from './projection.ts';

const happened = eventType({
  name: 'happened',
  schemaVersion: 1,
  schema: z.strictObject({ to: z.string() }),
});
const table: Table = { name: 'rows', columns: { id: 'text', n: 'integer' }, key: ['id'] };

const definition: ProjectionDefinition<typeof happened> = {
  name: 'sample-rows',
  version: 1,
  categories: ['sample'],
  tables: [table],
  split: 'stream',
  onFailure: 'park',
  types: new EventTypes([happened]),
  handlers: { happened: 'ignored' },
};

function stored(event: Partial<StoredEvent>): StoredEvent {
  return {
    ...{ id: 'e-1', stream: 'sample-1', revision: 3, partition: 0, position: '7' },
    ...{ type: 'happened', schemaVersion: 1, occurredAt: 1, recordedAt: 2, metadata: {} },
    ...{ contentHash: '', data: '{"to":"x"}' },
    ...event,
  };
}

describe('defineProjection', () => {
  test('takes a definition that can work; an ignored event touches nothing', () => {
    const projection = defineProjection(definition);
    expect(projection).toMatchObject({ name: 'sample-rows', version: 1, split: 'stream' });
    const event = { type: 'happened' } as Parameters<typeof projection.touches>[0];
    expect(projection.touches(event)).toEqual([]);
  });

  test('an event that changes no row is not read, unless this program does not know it', async () => {
    const projection = defineProjection(definition);
    const never: SubjectCipher = { keyring: () => Promise.reject(new Error('asked for a key')) };
    const sealed = stored({ data: '{"$personal":{"subject":"ann","sealed":"v1.x"}}' });
    expect(await projection.decode([sealed], never)).toMatchObject([
      { id: sealed.id, revision: 3, position: '7', data: {} },
    ]);
    const later = projection.decode([sealed, stored({ schemaVersion: 2 })], never);
    await expect(later).rejects.toMatchObject({ code: 'unknown-version' });
    const other = projection.decode([stored({ type: 'other' })], never);
    await expect(other).rejects.toMatchObject({ code: 'unknown-type' });
  });

  test('what is read and what is not keep their order', async () => {
    const read = eventType({ ...happened, name: 'read' });
    const projection = defineProjection({
      ...definition,
      types: new EventTypes([happened, read]),
      handlers: { happened: 'ignored', read: { touches: () => [], apply: () => undefined } },
    });
    const never: SubjectCipher = { keyring: () => Promise.reject(new Error('asked for a key')) };
    const events = ['read', 'happened', 'read', 'read', 'happened'].map((type, revision) =>
      stored({ type, revision }),
    );
    const decoded = await projection.decode(events, never);
    expect(decoded.map(({ type, revision }) => [type, revision])).toEqual(
      events.map(({ type, revision }) => [type, revision]),
    );
    expect(decoded.map(({ data }) => data)).toEqual([
      ...[{ to: 'x' }, {}, { to: 'x' }],
      ...[{ to: 'x' }, {}],
    ]);
  });

  test.each<[Partial<ProjectionDefinition<typeof happened>>, string]>([
    [{ name: 'Sample' }, 'lower-case words'],
    [{ name: 'sample--rows' }, 'lower-case words'],
    [{ name: '../rows' }, 'lower-case words'],
    [{ version: 0 }, 'not a version'],
    [{ version: 1.5 }, 'not a version'],
    [{ categories: [] }, 'no category'],
    [{ tables: [] }, 'no table'],
    [{ tables: [table, table] }, 'two tables rows'],
    [{ tables: [{ ...table, name: 'dead_letters' }] }, 'made by the runtime'],
    [{ tables: [{ ...table, name: 'rows; drop' }] }, 'no name'],
    [{ tables: [{ ...table, columns: { id: 'text', 'n n': 'integer' } }] }, 'no name'],
    [{ tables: [{ ...table, key: [] }] }, 'no key'],
    [{ tables: [{ ...table, key: ['other'] }] }, 'no column other'],
    [{ tables: [{ ...table, indexes: { by: ['n desc', 'm'] } }] }, 'no column m'],
    [{ tables: [{ ...table, ranked: { group: ['g'], score: 'n' } }] }, 'no column g'],
    [{ tables: [{ ...table, ranked: { group: [], score: 'id' } }] }, 'not an integer'],
    [{ split: 'partition' }, 'only where each row depends on one stream'],
  ])('refuses %j', (change, reason) => {
    expect(() => defineProjection({ ...definition, ...change })).toThrow(reason);
  });
});
