import { expect, test } from 'vitest';
import { describeSubjectKeyStore } from './contract/index.ts';
import { memorySubjectKeyStore, memorySubjectKeys } from './memory-subject-key-store.ts';

describeSubjectKeyStore('the in-memory twin', async () => {
  const shared = memorySubjectKeys();
  return {
    open: async () => memorySubjectKeyStore({ shared }),
    remove: async () => undefined,
  };
});

test('a fault before an operation changes nothing; one after it leaves the operation done', async () => {
  const shared = memorySubjectKeys();
  const failAt = (broken: string) =>
    memorySubjectKeyStore({
      shared,
      fault: (point) => {
        if (point === broken) throw new Error(point);
      },
    });
  await expect(failAt('before create').create(['player:ann'])).rejects.toThrow('before create');
  expect(shared.keys.size).toBe(0);
  await expect(failAt('after create').create(['player:ann'])).rejects.toThrow('after create');
  expect(shared.keys.get('player:ann')?.kind).toBe('key');
  await expect(failAt('before destroy').destroy(['player:ann'])).rejects.toThrow('before destroy');
  expect(shared.keys.get('player:ann')?.kind).toBe('key');
  await expect(failAt('after destroy').destroy(['player:ann'])).rejects.toThrow('after destroy');
  expect(shared.keys.get('player:ann')?.kind).toBe('erased');
});

test('keys come from the random source it is given', async () => {
  const store = memorySubjectKeyStore({ randomBytes: (bytes) => new Uint8Array(bytes).fill(7) });
  const keys = await store.create(['player:ann']);
  expect(keys.get('player:ann')).toEqual({ kind: 'key', key: new Uint8Array(32).fill(7) });
});
