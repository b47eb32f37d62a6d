import { type MemoryLogFaults, type MemoryStorage, memoryEventLog } from '@annals/event-log';
import { memorySubjectKeyStore, memorySubjectKeys, subjectCipher } from '@annals/subject-keys';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { idempotencyCategory, idempotencyStream } from './events.ts';
import { idempotencyLimits } from './limits.ts';
import { type IdempotencyMeans, IdempotencyStore, type RequestIdentity } from './store.ts';

const noon = Date.parse('2026-11-24T12:00:00Z');
const day = 24 * 60 * 60 * 1_000;
const pay = { caller: 'shop', key: 'checkout-1', subject: 'buyer:checkout-1', content: 'POST {}' };

function site(storage?: MemoryStorage, faults?: MemoryLogFaults) {
  const clock = { now: () => site.now };
  site.now = noon;
  const shared = memorySubjectKeys();
  const keys = memorySubjectKeyStore({ shared });
  const cipher = subjectCipher(keys);
  const first = memoryEventLog({ ...(storage ? { storage } : {}), clock });
  const process = (holder: string, options: Partial<IdempotencyMeans> = {}) => {
    const log = memoryEventLog({ storage: first.storage, clock, ...(faults ? { faults } : {}) });
    return new IdempotencyStore({ log, cipher, clock, holder, ...options });
  };
  return { log: first, keys, cipher, process, pass: (ms: number) => (site.now += ms) };
}
site.now = noon;

/** The operation: what it did is in `effects`. */
function operation(effects: RequestIdentity[], body = '{"a":1}') {
  return async (identity: RequestIdentity) => {
    effects.push(identity);
    const answer = { status: 201, contentType: 'application/json', body };
    return { kind: 'answer', answer } as const;
  };
}

/** An operation that goes on when it is told. */
function slow(body: string) {
  const gate = Promise.withResolvers<void>();
  const run = async () => {
    await gate.promise;
    const answer = { status: 201, contentType: 'text/plain', body };
    return { kind: 'answer', answer } as const;
  };
  return { run, goOn: gate.resolve };
}

describe('one answer for one key', () => {
  test('is given again byte for byte, also by another process, and the operation is not run again', async () => {
    const { process } = site();
    const effects: RequestIdentity[] = [];
    const body = '{ "b": 1,\n"a": "\u00e9" }';
    const first = await process('one').once(pay, operation(effects, body));
    const again = await process('two').once(pay, operation(effects, 'another'));
    const answer = { status: 201, contentType: 'application/json', body };
    expect(first).toEqual({ kind: 'answer', answer, replayed: false });
    expect(again).toEqual({ kind: 'answer', answer, replayed: true });
    expect(effects).toHaveLength(1);
  });

  test('is of its caller: the same key of another has an effect of its own', async () => {
    const { process } = site();
    const effects: RequestIdentity[] = [];
    await process('one').once(pay, operation(effects));
    await process('one').once({ ...pay, caller: 'other' }, operation(effects));
    expect(new Set(effects.map(({ requestId }) => requestId)).size).toBe(2);
    // Length-prefixed: no caller can write a key that runs into that of another.
    expect(idempotencyStream('ab', 'c')).not.toBe(idempotencyStream('a', 'bc'));
  });

  test('is refused to another request, and nothing is run', async () => {
    const { process } = site();
    const effects: RequestIdentity[] = [];
    await process('one').once(pay, operation(effects));
    const other = { ...pay, content: 'POST {"amount":"2"}' };
    const refusal = { kind: 'refused', reason: 'key-reused' };
    expect(await process('one').once(other, operation(effects))).toMatchObject(refusal);
    expect(effects).toHaveLength(1);
  });

  test('keys and callers that cannot be are refused before anything is read', async () => {
    const { process, log } = site();
    for (const bad of [
      { ...pay, key: '' },
      { ...pay, key: 'a b' },
      { ...pay, key: 'x'.repeat(256) },
      { ...pay, key: '\u00e9' },
      { ...pay, caller: '' },
    ]) {
      const refusal = { kind: 'refused', reason: 'invalid-key' };
      expect(await process('one').once(bad, operation([]))).toMatchObject(refusal);
    }
    expect(log.storage.stream(idempotencyStream('shop', 'a b'))).toEqual([]);
  });

  test('a request that is longer than an answer may be is a bug that is named', async () => {
    const { process } = site();
    const long = 'x'.repeat(idempotencyLimits.answerBytesMax + 1);
    await expect(process('one').once(pay, operation([], long))).rejects.toThrow(RangeError);
  });
});

describe('requests in flight', () => {
  test('of many at once one runs, in one process and in several', async () => {
    const { process } = site();
    const effects: RequestIdentity[] = [];
    const one = process('one');
    const sent = [one, one, one, process('two'), process('three')];
    const answers = await Promise.all(sent.map((each) => each.once(pay, operation(effects))));
    expect(effects).toHaveLength(1);
    const ran = answers.filter((answer) => answer.kind === 'answer' && !answer.replayed);
    expect(ran).toHaveLength(1);
    for (const answer of answers) expect(['answer', 'in-flight']).toContain(answer.kind);
  });

  test('are said to be so, with the time after which they may be taken over', async () => {
    const { process, pass } = site();
    const { run, goOn } = slow('first');
    const running = process('one').once(pay, run);
    await new Promise(setImmediate);
    pass(1_000);
    const asked = await process('two').once(pay, operation([]));
    expect(asked).toEqual({ kind: 'in-flight', retryAfterMs: 29_000 });
    goOn();
    expect(await running).toMatchObject({ kind: 'answer', replayed: false });
  });

  test('after a crash somebody else goes on with the same identity', async () => {
    const { process, pass } = site();
    const effects: RequestIdentity[] = [];
    const crashing = async (identity: RequestIdentity) => {
      effects.push(identity);
      throw new Error('killed');
    };
    await expect(process('one').once(pay, crashing)).rejects.toThrow('killed');
    expect(await process('two').once(pay, operation(effects))).toMatchObject({ kind: 'in-flight' });
    pass(30_000);
    const other = { ...pay, content: 'other' };
    expect(await process('two').once(other, operation(effects))).toMatchObject({
      reason: 'key-reused',
    });
    expect(await process('two').once(pay, operation(effects))).toMatchObject({ replayed: false });
    expect(effects).toHaveLength(2);
    expect(effects[1]).toEqual(effects[0]);
  });

  test('a slow holder that was taken over gives the answer of who was quicker', async () => {
    const { process, pass } = site();
    const { run, goOn } = slow('slow');
    const running = process('one').once(pay, run);
    await new Promise(setImmediate);
    pass(30_000);
    const quick = await process('two').once(pay, operation([], 'quick'));
    goOn();
    const late = await running;
    expect(quick).toMatchObject({ answer: { body: 'quick' }, replayed: false });
    expect(late).toMatchObject({ answer: { body: 'quick' }, replayed: true });
  });
});

describe('what is not kept', () => {
  const notKept = (effect: 'none' | 'unknown') => async () =>
    ({ kind: 'not-kept', effect, value: 'sorry' }) as const;

  test('an answer without any effect frees the key for any request', async () => {
    const { process } = site();
    const effects: RequestIdentity[] = [];
    const sorry = await process('one').once(pay, notKept('none'));
    expect(sorry).toEqual({ kind: 'not-kept', value: 'sorry' });
    const other = { ...pay, content: 'mended' };
    expect(await process('one').once(other, operation(effects))).toMatchObject({ kind: 'answer' });
  });

  test('after one that may have had an effect only the same request goes on, at once and as the same', async () => {
    const { process, pass } = site();
    const effects: RequestIdentity[] = [];
    const first = async (identity: RequestIdentity) => {
      effects.push(identity);
      return { kind: 'not-kept', effect: 'unknown', value: 'sorry' } as const;
    };
    await process('one').once(pay, first);
    pass(5);
    const other = { ...pay, content: 'other' };
    expect(await process('one').once(other, operation([]))).toMatchObject({ reason: 'key-reused' });
    expect(await process('two').once(pay, operation(effects))).toMatchObject({ kind: 'answer' });
    expect(effects[1]).toEqual(effects[0]);
  });
});

describe('pruning', () => {
  test('keeps answers for 30 days by event time, then the key is a new one with a new effect', async () => {
    const { process, pass, log } = site();
    const effects: RequestIdentity[] = [];
    const store = process('one');
    await store.once(pay, operation(effects));
    pass(30 * day);
    expect((await store.prune()).pruned).toBe(0);
    expect(await store.once(pay, operation(effects))).toMatchObject({ replayed: true });
    pass(1);
    const walk = await store.prune();
    expect(walk.pruned).toBe(1);
    expect((await store.prune()).pruned).toBe(0);
    expect((await store.prune(walk.checkpoint)).pruned).toBe(0);
    expect(await store.once(pay, operation(effects))).toMatchObject({ replayed: false });
    expect(effects[0]?.requestId).not.toBe(effects[1]?.requestId);
    const types = log.storage.stream(idempotencyStream(pay.caller, pay.key)).map((e) => e.type);
    expect(types.filter((type) => type === 'request-pruned')).toHaveLength(1);
  });

  test('goes on where the last walk ended, and leaves what is younger for the next', async () => {
    const { process, pass } = site();
    const store = process('one');
    for (const key of ['a', 'b']) await store.once({ ...pay, key }, operation([]));
    pass(10 * day);
    await store.once({ ...pay, key: 'c' }, operation([]));
    pass(20 * day + 1);
    const first = await store.prune();
    expect(first.pruned).toBe(2);
    pass(10 * day);
    expect((await store.prune(first.checkpoint)).pruned).toBe(1);
  });

  test('comes by again where the log did not take it', async () => {
    let full = false;
    const faults: MemoryLogFaults = { append: () => (full ? 'overloaded' : undefined) };
    const { process, pass } = site(undefined, faults);
    const store = process('one');
    await store.once(pay, operation([]));
    pass(31 * day);
    full = true;
    const walk = await store.prune();
    expect(walk.pruned).toBe(0);
    full = false;
    expect((await store.prune(walk.checkpoint)).pruned).toBe(1);
  });
});

test('stored answers are sealed, and gone with the person they are about', async () => {
  const { process, log, keys } = site();
  await process('one').once(pay, operation([], 'Ann, 5 Elm Street'));
  const { events } = await log.read('start', { categories: [idempotencyCategory] });
  const stored = events.map(({ data }) => data).join();
  expect(stored).not.toContain('Elm');
  expect(stored).not.toContain(pay.content);
  await keys.destroy([pay.subject]);
  const refusal = { kind: 'refused', reason: 'subject-erased' };
  expect(await process('two').once(pay, operation([]))).toMatchObject(refusal);
});

test('under faults of the log and crashes every key has one effect and one answer', async () => {
  const faultNames = ['unknown-stored', 'unknown-not-stored', 'overloaded', undefined] as const;
  const step = fc.record({
    process: fc.constantFrom('one', 'two', 'three'),
    key: fc.constantFrom('k1', 'k2'),
    content: fc.constantFrom('x', 'x', 'y'),
    ends: fc.constantFrom('answer', 'crash', 'none', 'unknown'),
    passMs: fc.constantFrom(0, 10_000, 31_000),
  });
  const faults = fc.infiniteStream(fc.constantFrom(...faultNames));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), faults, async (steps, fault) => {
      const { process, pass } = site(undefined, { append: () => fault.next().value });
      const identities = new Map<string, Set<string>>();
      const answers = new Map<string, Set<string>>();
      const contents = new Map<string, Set<string>>();
      let count = 0;
      const waiting = steps.map(async ({ process: name, key, content, ends, passMs }, index) => {
        pass(passMs);
        const ran = async (identity: RequestIdentity) => {
          if (ends !== 'none') add(identities, key, JSON.stringify(identity));
          if (ends === 'crash') throw new Error('crash');
          if (ends !== 'answer') return { kind: 'not-kept', effect: ends, value: ends } as const;
          count += 1;
          const body = `${content} ${count}`;
          const answer = { status: 200, contentType: 'text/plain', body };
          return { kind: 'answer', answer } as const;
        };
        const store = process(`${name}-${index}`);
        const once = await store.once({ ...pay, key, content }, ran).catch(() => undefined);
        if (once?.kind !== 'answer') return;
        add(answers, key, once.answer.body);
        add(contents, key, content);
      });
      await Promise.all(waiting);
      // A request that surely had no effect may leave its key to another; the effects that count have one identity.
      for (const ids of identities.values()) {
        expect(new Set([...ids].map((id) => JSON.parse(id).requestId)).size).toBe(1);
      }
      for (const bodies of answers.values()) expect(bodies.size).toBe(1);
      for (const texts of contents.values()) expect(texts.size).toBe(1);
    }),
    { numRuns: 200 },
  );
});

function add(sets: Map<string, Set<string>>, key: string, value: string): void {
  sets.set(key, (sets.get(key) ?? new Set()).add(value));
}
