import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { limits } from '../limits.ts';
import type { StoredSubjectKey, SubjectKeyStore } from '../port.ts';

/** One place where keys are kept; each `open` is another process on it. */
export interface KeySite {
  open(): Promise<SubjectKeyStore>;
  /** Removes what the test left. */
  remove(): Promise<void>;
}

/** The law of every key store. Each adapter's test calls it once with its own opener of an empty site. */
export function describeSubjectKeyStore(name: string, site: () => Promise<KeySite>): void {
  describe(`${name} keeps the contract of a key store`, () => {
    const opened: { store: SubjectKeyStore; site: KeySite }[] = [];
    const openSite = async (): Promise<KeySite> => {
      const place = await site();
      return {
        remove: () => place.remove(),
        open: async () => {
          const store = await place.open();
          opened.push({ store, site: place });
          return store;
        },
      };
    };
    const openStore = async () => (await openSite()).open();
    afterEach(async () => {
      for (const { store } of opened) await store.close();
      for (const place of new Set(opened.map((entry) => entry.site))) await place.remove();
      opened.length = 0;
    });
    describeKeys(openSite, openStore);
    describeErasing(openSite, openStore);
    describeListing(openStore);
    describeRefusals(openStore);
    describeModel(openSite);
  });
}

type OpenSite = () => Promise<KeySite>;
type OpenStore = () => Promise<SubjectKeyStore>;

function keyOf(stored: StoredSubjectKey | undefined): string {
  if (stored?.kind !== 'key') throw new Error(`there is no key, but ${stored?.kind ?? 'nothing'}`);
  return Buffer.from(stored.key).toString('hex');
}

function describeKeys(openSite: OpenSite, openStore: OpenStore): void {
  test('knows nothing of a subject it has never seen', async () => {
    const store = await openStore();
    expect((await store.get(['player:ann'])).size).toBe(0);
  });

  test('gives each subject a key of its own, of 32 bytes', async () => {
    const store = await openStore();
    const keys = await store.create(['player:ann', 'player:bob']);
    expect([...keys.keys()].sort()).toEqual(['player:ann', 'player:bob']);
    expect(keyOf(keys.get('player:ann'))).toMatch(/^[0-9a-f]{64}$/);
    expect(keyOf(keys.get('player:ann'))).not.toBe(keyOf(keys.get('player:bob')));
  });

  test('keeps the first key, whoever asks again', async () => {
    const site = await openSite();
    const [one, other] = [await site.open(), await site.open()];
    const first = keyOf((await one.create(['player:ann'])).get('player:ann'));
    expect(keyOf((await one.create(['player:ann'])).get('player:ann'))).toBe(first);
    expect(keyOf((await other.create(['player:ann'])).get('player:ann'))).toBe(first);
    expect(keyOf((await other.get(['player:ann'])).get('player:ann'))).toBe(first);
  });

  test('gives the same key to all who create it at the same moment', async () => {
    const site = await openSite();
    const stores = await Promise.all([site.open(), site.open(), site.open()]);
    const subjects = Array.from({ length: 20 }, (_, index) => `player:${index}`);
    const answers = await Promise.all(
      stores.flatMap((store) => [store.create(subjects), store.create([...subjects].reverse())]),
    );
    for (const subject of subjects) {
      expect(new Set(answers.map((answer) => keyOf(answer.get(subject)))).size).toBe(1);
    }
  });

  test('keeps keys after it was closed', async () => {
    const site = await openSite();
    const before = await site.open();
    const key = keyOf((await before.create(['player:ann'])).get('player:ann'));
    await before.close();
    const after = await site.open();
    expect(keyOf((await after.get(['player:ann'])).get('player:ann'))).toBe(key);
  });

  test('answers for known and unknown subjects in one batch, and for one named twice', async () => {
    const store = await openStore();
    await store.create(['player:ann']);
    const found = await store.get(['player:ann', 'player:nobody', 'player:ann']);
    expect([...found.keys()]).toEqual(['player:ann']);
    expect((await store.create(['player:bob', 'player:bob'])).size).toBe(1);
    expect((await store.get([])).size).toBe(0);
    expect((await store.create([])).size).toBe(0);
  });

  test('tells names apart that look alike', async () => {
    const store = await openStore();
    const subjects = [
      'player:ann',
      'player:Ann',
      'player:ann ',
      'user:ann',
      'player:\u00e9',
      'player:e\u0301',
    ];
    const keys = await store.create([...subjects, 'player:a:b-c~d', 'player:😀"\'\\%_']);
    expect(new Set([...keys.values()].map(keyOf)).size).toBe(subjects.length + 2);
  });
}

function describeErasing(openSite: OpenSite, openStore: OpenStore): void {
  test('destroys a key and leaves a tombstone that everybody sees', async () => {
    const site = await openSite();
    const [one, other] = [await site.open(), await site.open()];
    await one.create(['player:ann', 'player:bob']);
    expect(await one.destroy(['player:ann'])).toBe(1);
    for (const store of [one, other, await site.open()]) {
      const found = await store.get(['player:ann', 'player:bob']);
      expect(found.get('player:ann')).toEqual({ kind: 'erased' });
      expect(found.get('player:bob')?.kind).toBe('key');
    }
  });

  test('never gives an erased subject a key again', async () => {
    const site = await openSite();
    const [one, other] = [await site.open(), await site.open()];
    await one.create(['player:ann']);
    await one.destroy(['player:ann']);
    for (const store of [one, other]) {
      const answer = await store.create(['player:ann', 'player:new']);
      expect(answer.get('player:ann')).toEqual({ kind: 'erased' });
      expect(answer.get('player:new')?.kind).toBe('key');
    }
  });

  test('erases a subject that never had a key', async () => {
    const store = await openStore();
    expect(await store.destroy(['player:ann'])).toBe(0);
    expect((await store.create(['player:ann'])).get('player:ann')).toEqual({ kind: 'erased' });
  });

  test('counts only keys that were there, and may be repeated', async () => {
    const store = await openStore();
    await store.create(['player:ann', 'player:bob']);
    expect(await store.destroy(['player:ann', 'player:nobody', 'player:ann'])).toBe(1);
    expect(await store.destroy(['player:ann', 'player:bob'])).toBe(1);
    expect(await store.destroy(['player:ann', 'player:bob'])).toBe(0);
    expect(await store.destroy([])).toBe(0);
  });

  test('says another erasure token after an erase by anybody, and the same one after a create', async () => {
    const site = await openSite();
    const [one, other] = [await site.open(), await site.open()];
    await one.create(['player:ann']);
    const before = await other.erasures();
    await one.create(['player:bob']);
    expect(await other.erasures()).toBe(before);
    expect(await one.erasures()).toBe(before);
    await one.destroy(['player:ann']);
    const after = await other.erasures();
    expect(after).not.toBe(before);
    expect(await one.erasures()).toBe(after);
    await other.destroy(['player:bob']);
    expect(await one.erasures()).not.toBe(after);
  });
}

function describeListing(openStore: OpenStore): void {
  test('lists present and erased subjects by the bytes of their names, page by page', async () => {
    const store = await openStore();
    await store.create(['player:b', 'player:a', 'player:Z', 'player:é', 'player:\u{10000}']);
    await store.create(['player:\uff5e']);
    await store.destroy(['player:b']);
    const all = await store.list();
    expect(all).toEqual([
      { subject: 'player:Z', state: 'present' },
      { subject: 'player:a', state: 'present' },
      { subject: 'player:b', state: 'erased' },
      { subject: 'player:é', state: 'present' },
      { subject: 'player:\uff5e', state: 'present' },
      { subject: 'player:\u{10000}', state: 'present' },
    ]);
    const paged = [...(await store.list({ limit: 4 }))];
    expect(paged).toEqual(all.slice(0, 4));
    paged.push(...(await store.list({ after: 'player:é', limit: 4 })));
    expect(paged).toEqual(all);
    expect(await store.list({ after: 'player:\u{10000}' })).toEqual([]);
  });

  test.each([0, -1, 1.5, Number.NaN, limits.batchSubjectsMax + 1])(
    'refuses a page of %d subjects',
    async (limit) => {
      const store = await openStore();
      await expect(store.list({ limit })).rejects.toThrow(TypeError);
    },
  );
}

function describeRefusals(openStore: OpenStore): void {
  const tooLong = `player:${'é'.repeat(limits.subjectBytesMax / 2)}`;
  test.each(['', 'ann', 'player:', ':ann', 'Player:ann', 'player:a\nb', 'player:\ud800', tooLong])(
    'refuses a batch with the name %j, and keeps nothing of it',
    async (name) => {
      const store = await openStore();
      await expect(store.create(['player:ann', name])).rejects.toThrow(TypeError);
      await expect(store.destroy(['player:ann', name])).rejects.toThrow(TypeError);
      await expect(store.get([name])).rejects.toThrow(TypeError);
      expect(await store.list()).toEqual([]);
    },
  );

  test('refuses a batch that is too large, and takes one that just fits', async () => {
    const store = await openStore();
    const subjects = Array.from({ length: limits.batchSubjectsMax + 1 }, (_, i) => `player:${i}`);
    await expect(store.create(subjects)).rejects.toThrow(TypeError);
    expect(await store.list()).toEqual([]);
    expect((await store.create(subjects.slice(1))).size).toBe(limits.batchSubjectsMax);
  });

  test('finishes what is under way when it is closed, and refuses what comes later', async () => {
    const store = await openStore();
    const creating = store.create(['player:ann']);
    const closing = store.close();
    expect((await creating).get('player:ann')?.kind).toBe('key');
    await closing;
    await store.close();
    const closed = expect.objectContaining({ name: 'SubjectKeyStoreError', code: 'closed' });
    await expect(store.get(['player:ann'])).rejects.toEqual(closed);
    await expect(store.create(['player:ann'])).rejects.toEqual(closed);
    await expect(store.destroy(['player:ann'])).rejects.toEqual(closed);
    await expect(store.list()).rejects.toEqual(closed);
    await expect(store.erasures()).rejects.toEqual(closed);
  });
}

function describeModel(openSite: OpenSite): void {
  const subject = fc.constantFrom('player:a', 'player:b', 'player:c', 'player:d', 'user:a');
  const step = fc.record({
    handle: fc.nat(1),
    operation: fc.constantFrom('create', 'create', 'get', 'destroy'),
    subjects: fc.uniqueArray(subject, { maxLength: 4 }),
  });

  test('agrees with a naive model over any history on two handles', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const site = await openSite();
        const handles = [await site.open(), await site.open()];
        const model = new Map<string, string>();
        for (const { handle, operation, subjects } of steps) {
          const store = handles[handle] as SubjectKeyStore;
          if (operation === 'destroy') {
            const keys = subjects.filter((s) => (model.get(s) ?? 'erased') !== 'erased');
            expect(await store.destroy(subjects)).toBe(keys.length);
            for (const s of subjects) model.set(s, 'erased');
            continue;
          }
          const answer =
            operation === 'create' ? await store.create(subjects) : await store.get(subjects);
          for (const s of subjects) {
            const entry = answer.get(s);
            const shown = entry?.kind === 'key' ? keyOf(entry) : entry?.kind;
            if (operation === 'create' && !model.has(s)) {
              const fresh = keyOf(entry);
              expect([...model.values()]).not.toContain(fresh);
              model.set(s, fresh);
            } else expect(shown).toBe(model.get(s));
          }
        }
      }),
      { numRuns: 25 },
    );
  });
}
