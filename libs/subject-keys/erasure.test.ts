import { expect, test } from 'vitest';
import { z } from 'zod';
import {
  enforceErasures,
  eraseSubject,
  erasureEvent,
  erasureStream,
  subjectErased,
} from './erasure.ts';
import { limits } from './limits.ts';
import { memorySubjectKeyStore, memorySubjectKeys } from './memory-subject-key-store.ts';

test('the event is the same each time it is told, and goes to the stream of its subject', () => {
  const event = erasureEvent('player:ann', 1_000);
  expect(event).toEqual({
    type: 'subject-erased',
    id: '30309ffe-921a-52fe-9e3b-2ba7c5c54507',
    data: { subject: 'player:ann' },
    occurredAt: 1_000,
  });
  expect(erasureEvent('player:ann', 2_000).id).toBe(event.id);
  expect(erasureEvent('player:bob', 1_000).id).not.toBe(event.id);
  expect(erasureStream('player:ann')).toBe('subject-player:ann');
});

test('the stored format takes a valid subject and nothing else', () => {
  expect(subjectErased.schema.parse({ subject: 'player:ann' })).toEqual({ subject: 'player:ann' });
  for (const data of [
    {},
    { subject: 'ann' },
    { subject: 'player:ann', why: 'x' },
    { subject: 1 },
  ]) {
    expect(() => subjectErased.schema.parse(data)).toThrow(z.ZodError);
  }
});

test('an erase tells the log first, and destroys the key after that', async () => {
  const keys = memorySubjectKeyStore();
  await keys.create(['player:ann']);
  const seen: string[] = [];
  const appendErased = async (subject: string) => {
    seen.push(`${subject} ${(await keys.get([subject])).get(subject)?.kind}`);
    return { kind: 'stored', position: '7' } as const;
  };
  const first = await eraseSubject({ appendErased, keys }, 'player:ann');
  expect(first).toEqual({
    kind: 'erased',
    keyDestroyed: true,
    recorded: { kind: 'stored', position: '7' },
  });
  const again = await eraseSubject({ appendErased, keys }, 'player:ann');
  expect(again).toMatchObject({ kind: 'erased', keyDestroyed: false });
  expect(seen).toEqual(['player:ann key', 'player:ann erased']);
});

test.each([{ kind: 'unknown', detail: 'no answer' }, { kind: 'refused' }] as const)(
  'a log that answers %j leaves the key alone',
  async (answer) => {
    const keys = memorySubjectKeyStore();
    await keys.create(['player:ann']);
    const erasure = await eraseSubject({ appendErased: async () => answer, keys }, 'player:ann');
    expect(erasure).toEqual({ kind: 'not-recorded', answer });
    expect((await keys.get(['player:ann'])).get('player:ann')?.kind).toBe('key');
  },
);

test('an invalid subject is not told to the log', async () => {
  const appendErased = async () => {
    throw new Error('the log was told');
  };
  const erasing = eraseSubject({ appendErased, keys: memorySubjectKeyStore() }, 'ann');
  await expect(erasing).rejects.toThrow(TypeError);
});

test('a crash between event and key is healed at the next start', async () => {
  const shared = memorySubjectKeys();
  const log: string[] = [];
  const dying = memorySubjectKeyStore({
    shared,
    fault: (point) => {
      if (point === 'before destroy') throw new Error('crash');
    },
  });
  await dying.create(['player:ann', 'player:bob']);
  const appendErased = async (subject: string) => {
    log.push(subject);
    return { kind: 'stored' } as const;
  };
  await expect(eraseSubject({ appendErased, keys: dying }, 'player:ann')).rejects.toThrow('crash');
  expect(shared.keys.get('player:ann')?.kind).toBe('key');

  const restarted = memorySubjectKeyStore({ shared });
  expect(await enforceErasures(restarted, log)).toEqual({ subjects: 1, keysDestroyed: 1 });
  expect(shared.keys.get('player:ann')?.kind).toBe('erased');
  expect(shared.keys.get('player:bob')?.kind).toBe('key');
  expect(await enforceErasures(restarted, log)).toEqual({ subjects: 1, keysDestroyed: 0 });
});

test('an erasure known only to the log leaves a tombstone, so that no key is made again', async () => {
  const keys = memorySubjectKeyStore();
  expect(await enforceErasures(keys, ['player:ann'])).toEqual({ subjects: 1, keysDestroyed: 0 });
  expect((await keys.create(['player:ann'])).get('player:ann')?.kind).toBe('erased');
});

test('takes any number of erasures, as they come', async () => {
  const keys = memorySubjectKeyStore();
  const count = limits.batchSubjectsMax * 2 + 1;
  await keys.create(['player:0', `player:${count - 1}`]);
  async function* fromLog() {
    for (let index = 0; index < count; index += 1) yield `player:${index}`;
  }
  expect(await enforceErasures(keys, fromLog())).toEqual({ subjects: count, keysDestroyed: 2 });
  expect(await enforceErasures(keys, [])).toEqual({ subjects: 0, keysDestroyed: 0 });
});
