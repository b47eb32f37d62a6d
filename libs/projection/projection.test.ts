import { EventTypes, eventType } from '@annals/event-log';
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

describe('defineProjection', () => {
  test('takes a definition that can work; an ignored event touches nothing', () => {
    const projection = defineProjection(definition);
    expect(projection).toMatchObject({ name: 'sample-rows', version: 1, split: 'stream' });
    const event = { type: 'happened' } as Parameters<typeof projection.touches>[0];
    expect(projection.touches(event)).toEqual([]);
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
