import { expect, test } from 'vitest';
import { NoSubjectKeyError, subjectCipher } from './cipher.ts';
import { limits } from './limits.ts';
import { memorySubjectKeyStore, memorySubjectKeys } from './memory-subject-key-store.ts';
import type { SubjectKeyStore } from './port.ts';

/** A store that counts what is asked of it. */
function counted(store: SubjectKeyStore) {
  const asked: string[][] = [];
  return {
    asked,
    store: {
      erasures: () => store.erasures(),
      get: (subjects: readonly string[]) => {
        asked.push([...subjects]);
        return store.get(subjects);
      },
      create: (subjects: readonly string[]) => {
        asked.push([...subjects]);
        return store.create(subjects);
      },
    },
  };
}

test('what one cipher seals another opens, when they share the store', async () => {
  const shared = memorySubjectKeys();
  const writer = subjectCipher(memorySubjectKeyStore({ shared }));
  const reader = subjectCipher(memorySubjectKeyStore({ shared }));
  const writing = await writer.keyring(['player:ann'], { create: true });
  const sealed = writing.seal('player:ann', '{"name":"Ann"}', 'e1');
  const reading = await reader.keyring(['player:ann'], { create: false });
  expect(reading.open('player:ann', sealed, 'e1')).toBe('{"name":"Ann"}');
  expect(reading.fingerprint('player:ann', 'x')).toBe(writing.fingerprint('player:ann', 'x'));
});

test('tells present, erased and missing apart, and refuses to use a key it does not have', async () => {
  const store = memorySubjectKeyStore();
  await store.create(['player:ann']);
  await store.destroy(['player:bob']);
  const keyring = await subjectCipher(store).keyring(['player:ann', 'player:bob', 'player:cid'], {
    create: false,
  });
  const states = ['player:ann', 'player:bob', 'player:cid', 'player:other'].map((subject) =>
    keyring.state(subject),
  );
  expect(states).toEqual(['present', 'erased', 'missing', 'missing']);
  for (const subject of ['player:bob', 'player:cid', 'player:other']) {
    expect(() => keyring.seal(subject, 'x', 'e1')).toThrow(NoSubjectKeyError);
    expect(() => keyring.open(subject, 'v1.x', 'e1')).toThrow(NoSubjectKeyError);
    expect(() => keyring.fingerprint(subject, 'x')).toThrow(NoSubjectKeyError);
  }
});

test('creates no key unless it is told to', async () => {
  const store = memorySubjectKeyStore();
  await subjectCipher(store).keyring(['player:ann'], { create: false });
  expect(await store.list()).toEqual([]);
});

test('never creates a key for an erased subject', async () => {
  const store = memorySubjectKeyStore();
  await store.destroy(['player:ann']);
  const keyring = await subjectCipher(store).keyring(['player:ann'], { create: true });
  expect(keyring.state('player:ann')).toBe('erased');
});

test('asks the store for each subject once, in one batch', async () => {
  const { store, asked } = counted(memorySubjectKeyStore());
  const cipher = subjectCipher(store);
  await cipher.keyring(['player:ann', 'player:bob', 'player:ann'], { create: true });
  await cipher.keyring(['player:ann', 'player:cid'], { create: true });
  await cipher.keyring(['player:bob'], { create: false });
  expect(asked).toEqual([['player:ann', 'player:bob'], ['player:cid']]);
});

test('does not remember that a subject was missing: its key may come at any time', async () => {
  const shared = memorySubjectKeys();
  const cipher = subjectCipher(memorySubjectKeyStore({ shared }));
  const before = await cipher.keyring(['player:ann'], { create: false });
  expect(before.state('player:ann')).toBe('missing');
  await memorySubjectKeyStore({ shared }).create(['player:ann']);
  const after = await cipher.keyring(['player:ann'], { create: false });
  expect(after.state('player:ann')).toBe('present');
});

test('the next keyring after an erase in another process has no key, though it was cached', async () => {
  const shared = memorySubjectKeys();
  const cipher = subjectCipher(memorySubjectKeyStore({ shared }));
  await cipher.keyring(['player:ann', 'player:bob'], { create: true });
  await memorySubjectKeyStore({ shared }).destroy(['player:ann']);
  for (const create of [false, true]) {
    const keyring = await cipher.keyring(['player:ann', 'player:bob'], { create });
    expect(keyring.state('player:ann')).toBe('erased');
    expect(keyring.state('player:bob')).toBe('present');
  }
});

test('an erase that comes while a keyring is being read is not cached over', async () => {
  const store = memorySubjectKeyStore();
  await store.create(['player:ann']);
  const cipher = subjectCipher({
    erasures: () => store.erasures(),
    create: (subjects) => store.create(subjects),
    get: async (subjects) => {
      const found = await store.get(subjects);
      await store.destroy(['player:ann']);
      return found;
    },
  });
  await cipher.keyring(['player:ann'], { create: false });
  const next = await cipher.keyring(['player:ann'], { create: false });
  expect(next.state('player:ann')).toBe('erased');
});

test('keeps no more keys than it is told', async () => {
  const { store, asked } = counted(memorySubjectKeyStore());
  const cipher = subjectCipher(store, { cachedKeysMax: 1 });
  const keyring = await cipher.keyring(['player:ann', 'player:bob'], { create: true });
  expect(keyring.state('player:ann')).toBe('present');
  await cipher.keyring(['player:ann', 'player:bob'], { create: false });
  expect(asked.slice(1)).toEqual([['player:ann']]);
});

test('takes more subjects than fit in one batch of the store', async () => {
  const subjects = Array.from({ length: limits.batchSubjectsMax + 5 }, (_, i) => `player:${i}`);
  const keyring = await subjectCipher(memorySubjectKeyStore()).keyring(subjects, { create: true });
  expect(subjects.every((subject) => keyring.state(subject) === 'present')).toBe(true);
});

test('an invalid subject is a bug of the caller', async () => {
  const cipher = subjectCipher(memorySubjectKeyStore());
  await expect(cipher.keyring(['ann'], { create: true })).rejects.toThrow(TypeError);
});
