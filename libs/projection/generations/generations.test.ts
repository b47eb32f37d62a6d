import { idFromKey } from '@annals/core';
import { type Checkpoint, EventDecodeError, memoryEventLog } from '@annals/event-log';
import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.ts';
import { decideAndAppend, readControl } from './control-stream.ts';
import {
  decideCreate,
  decideFirst,
  decidePromote,
  decideRebuilt,
  newestRebuilt,
  newestUnfinished,
  nextGeneration,
} from './decide.ts';
import { generationDirectory } from './directory.ts';
import { controlStream } from './events.ts';
import { liveGeneration, type ProjectionState } from './state.ts';

const spec = (generation: number) => ({
  generation,
  id: idFromKey('generation', String(generation)),
  version: 1,
  workers: 1,
  until: undefined,
  createdBy: 'test',
});
const at: Checkpoint = { 0: '0000000000000042' };

function decidedOn(log: ReturnType<typeof memoryEventLog>, clock: VirtualClock) {
  return (decide: Parameters<typeof decideAndAppend>[2]) =>
    clock.until(decideAndAppend({ log, clock }, 'game', decide));
}

describe('the control stream of a projection', () => {
  test('tells which generations exist and which one is live', async () => {
    const clock = new VirtualClock();
    const log = memoryEventLog({ clock });
    const decided = decidedOn(log, clock);
    await decided((state) => decideFirst(state, spec(1)));
    await decided((state) => decideCreate(state, spec(2)));
    let { state } = await readControl(log, 'game');
    expect(liveGeneration(state)).toBe(1);
    expect(newestUnfinished(state)?.generation).toBe(2);
    expect(newestRebuilt(state)).toBeUndefined();
    await decided((now) => decideRebuilt(now, 2, at));
    ({ state } = await readControl(log, 'game'));
    expect(newestRebuilt(state)).toMatchObject({ generation: 2, rebuilt: { checkpoint: at } });
    expect(nextGeneration(state)).toBe(3);
  });

  test('of two that decide at the same time one is told to decide again', async () => {
    const clock = new VirtualClock();
    const log = memoryEventLog({ clock });
    const results = await clock.until(
      Promise.all(
        ['one', 'two', 'three'].map((createdBy) =>
          decideAndAppend({ log, clock }, 'game', (state) =>
            decideFirst(state, { ...spec(1), createdBy }),
          ),
        ),
      ),
    );
    expect(results.map(({ kind }) => kind).sort()).toEqual(['decided', 'refused', 'refused']);
    expect((await log.readStream(controlStream('game'))).events).toHaveLength(3);
  });

  test.each(['unknown-stored', 'unknown-not-stored', 'overloaded', 'unreachable'] as const)(
    'an append that is %s is sent again, and decided once',
    async (fault) => {
      const clock = new VirtualClock();
      let appends = 0;
      const log = memoryEventLog({
        clock,
        faults: {
          append: () => {
            appends += 1;
            return appends <= 2 ? fault : undefined;
          },
        },
      });
      const decided = await decidedOn(log, clock)((state) => decideFirst(state, spec(1)));
      expect(decided.kind).toBe('decided');
      expect((await log.readStream(controlStream('game'))).events).toHaveLength(3);
    },
  );

  test('a number that was used is not used again', async () => {
    const clock = new VirtualClock();
    const log = memoryEventLog({ clock });
    const decided = decidedOn(log, clock);
    await decided((state) => decideCreate(state, spec(5)));
    expect(await decided((state) => decideCreate(state, spec(5)))).toMatchObject({
      kind: 'refused',
      reason: 'exists',
    });
    expect(await decided((state) => decideCreate(state, spec(4)))).toMatchObject({
      reason: 'exists',
    });
    expect(await decided((state) => decidePromote(state, 5, { version: 1 }))).toMatchObject({
      reason: 'not-rebuilt',
    });
  });
});

describe('the directory', () => {
  test('follows all projections, from what is there to what comes', async () => {
    const clock = new VirtualClock();
    const log = memoryEventLog({ clock, partitions: 3 });
    await clock.until(decideAndAppend({ log, clock }, 'one', (now) => decideFirst(now, spec(1))));
    const stop = new AbortController();
    const directory = generationDirectory(log, { signal: stop.signal, clock });
    expect(directory.live('one')).toBeUndefined();
    await clock.until(directory.ready());
    expect(directory.live('one')?.generation).toBe(1);
    expect(directory.live('two')).toBeUndefined();
    const changed: string[] = [];
    const unlisten = directory.onChange((name) => void changed.push(name));
    await clock.until(decideAndAppend({ log, clock }, 'two', (now) => decideFirst(now, spec(4))));
    await clock.advance(10);
    expect(directory.live('two')?.generation).toBe(4);
    unlisten();
    await clock.until(decideAndAppend({ log, clock }, 'two', (now) => decideCreate(now, spec(5))));
    await clock.advance(10);
    expect(changed).toEqual(['two']);
    expect(directory.state('two').generations.size).toBe(2);
    stop.abort();
  });

  test('broken subscriptions and repeated deliveries come to the same state', async () => {
    const clock = new VirtualClock();
    const { storage } = memoryEventLog({ clock });
    let deliveries = 0;
    const log = memoryEventLog({
      storage,
      clock,
      faults: {
        subscribe: () => ({}),
        deliver: () => {
          deliveries += 1;
          return deliveries % 3 === 0 ? 'throw' : 'repeat';
        },
      },
    });
    const errors: unknown[] = [];
    const stop = new AbortController();
    const directory = generationDirectory(log, {
      signal: stop.signal,
      clock,
      onError: (error) => errors.push(error),
    });
    const decided = decidedOn(log, clock);
    await decided((state) => decideFirst(state, spec(1)));
    for (let generation = 2; generation < 8; generation += 1) {
      await decided((state) => decideCreate(state, spec(generation)));
      await decided((state) => decideRebuilt(state, generation, at));
      await decided((state) => decidePromote(state, generation, { version: 1 }));
      await clock.advance(1_000);
    }
    await clock.advance(60_000);
    const expected: ProjectionState = (await readControl(log, 'game')).state;
    expect(directory.state('game')).toEqual(expected);
    expect(expected.promotions).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(errors.length).toBeGreaterThan(0);
    stop.abort();
  });

  test('an event of a newer program ends it, and says so', async () => {
    const clock = new VirtualClock();
    const log = memoryEventLog({ clock });
    await clock.until(decideAndAppend({ log, clock }, 'game', (now) => decideFirst(now, spec(1))));
    const { events } = await log.readStream(controlStream('game'), { limit: 1 });
    const newer = { ...events[0]!, id: idFromKey('newer'), schemaVersion: 9 };
    const appended = await log.append(controlStream('game'), [newer], { expected: 'any' });
    expect(appended.kind).toBe('stored');
    const directory = generationDirectory(log, { signal: new AbortController().signal, clock });
    await expect(clock.until(directory.ready())).rejects.toBeInstanceOf(EventDecodeError);
    expect(directory.failure()?.code).toBe('unknown-version');
  });

  test('stopped before it had read anything it is never ready', async () => {
    const clock = new VirtualClock();
    const directory = generationDirectory(memoryEventLog({ clock }), {
      signal: AbortSignal.abort(),
      clock,
    });
    await expect(clock.until(directory.ready())).rejects.toThrow('stopped');
  });
});
