import type { Checkpoint } from '@annals/event-log';
import { expect, test, vi } from 'vitest';
import { at } from './contract/samples.ts';
import { PolledLine } from './polled-line.ts';
import { VirtualClock } from './testing/virtual-clock.ts';

/** A store that answers what it is told, and hangs while it is told nothing. */
class Store {
  readonly clock = new VirtualClock();
  looks = 0;
  #answer: Checkpoint | 'lost' | undefined | 'hangs';
  #hanging: (() => void)[] = [];

  constructor(answer: Checkpoint | 'hangs') {
    this.#answer = answer;
  }

  is(answer: Checkpoint | 'lost' | 'hangs'): void {
    this.#answer = answer;
    if (answer === 'hangs') return;
    for (const goOn of this.#hanging.splice(0)) goOn();
  }

  line(waitersMax = 100): PolledLine {
    return new PolledLine({
      ...{ clock: this.clock, waitersMax, pollMsMin: 1, pollMsMax: 8, quietLooksInStep: 50 },
      look: async () => {
        this.looks += 1;
        while (this.#answer === 'hangs') {
          await new Promise<void>((resolve) => this.#hanging.push(resolve));
        }
        return this.#answer;
      },
    });
  }

  /** What a wait comes to, and after how long. */
  async timed(waiting: Promise<string>): Promise<readonly [string, number]> {
    const begun = this.clock.elapsedMs;
    let ended = begun;
    const outcome = await this.clock.until(
      waiting.then((one) => {
        ended = this.clock.elapsedMs;
        return one;
      }),
    );
    return [outcome, ended - begun];
  }
}

/** How much later than its limit a wait may end. */
const slackMs = 100;

test('a wait for what is there ends at once, and for what comes as soon as it does', async () => {
  const store = new Store(at(1));
  const line = store.line();
  expect(await store.timed(line.waitFor(at(1), { timeoutMs: 5_000 }))).toEqual(['reached', 0]);
  const waiting = line.waitFor(at(2), { timeoutMs: 5_000 });
  await store.clock.advance(700);
  store.is(at(2));
  const [outcome, ms] = await store.timed(waiting);
  expect(outcome).toBe('reached');
  expect(ms).toBeLessThanOrEqual(8);
});

test('a wait ends at its limit where nothing comes', async () => {
  const store = new Store(at(1));
  const [outcome, ms] = await store.timed(store.line().waitFor(at(2), { timeoutMs: 5_000 }));
  expect(outcome).toBe('timeout');
  expect(ms).toBeGreaterThanOrEqual(5_000);
  expect(ms).toBeLessThanOrEqual(5_000 + slackMs);
});

test('a store that hangs from the beginning holds nobody longer than his limit', async () => {
  const store = new Store('hangs');
  const line = store.line();
  const waits = [300, 5_000].map((timeoutMs) => store.timed(line.waitFor(at(1), { timeoutMs })));
  for (const [n, limit] of [300, 5_000].entries()) {
    const [outcome, ms] = (await waits[n]) ?? [];
    expect(outcome).toBe('timeout');
    expect(ms).toBeGreaterThanOrEqual(limit);
    expect(ms).toBeLessThanOrEqual(limit + slackMs);
  }
});

test('a store that hangs while somebody waits holds him no longer, and is looked at anew when it goes on', async () => {
  const store = new Store(at(1));
  const line = store.line();
  const waiting = store.timed(line.waitFor(at(2), { timeoutMs: 5_000 }));
  await store.clock.advance(1_000);
  store.is('hangs');
  const [outcome, ms] = await waiting;
  expect(outcome).toBe('timeout');
  expect(ms).toBeLessThanOrEqual(5_000 + slackMs);

  const later = line.waitFor(at(2), { timeoutMs: 5_000 });
  await store.clock.advance(1_000);
  store.is(at(2));
  expect(await store.timed(later)).toEqual(['reached', 0]);
});

test('looks under way share one timer, and what is answered at once needs none of its own', async () => {
  const store = new Store(at(1));
  const sleep = vi.spyOn(store.clock, 'sleep');
  const line = store.line();
  const waits = Array.from({ length: 1_000 }, () => line.waitFor(at(1), { timeoutMs: 5_000 }));
  expect(new Set(await store.clock.until(Promise.all(waits)))).toEqual(new Set(['reached']));
  expect(sleep).toHaveBeenCalledTimes(1);
  await store.clock.advance(1_000);
  // Nothing ticks while nobody looks.
  expect(sleep).toHaveBeenCalledTimes(1);

  store.is('hangs');
  const hanging = Array.from({ length: 100 }, () => line.waitFor(at(2), { timeoutMs: 500 }));
  expect(new Set(await store.clock.until(Promise.all(hanging)))).toEqual(new Set(['timeout']));
  expect(sleep.mock.calls.length).toBeLessThanOrEqual(13);
});

test('who only asks whether it is there is told within a second that nobody knows', async () => {
  const store = new Store('hangs');
  const [outcome, ms] = await store.timed(store.line().waitFor(at(1), { timeoutMs: 0 }));
  expect(outcome).toBe('timeout');
  expect(ms).toBeLessThanOrEqual(1_000 + slackMs);
});

test('nobody is kept by a store that hangs once he gives up, or the line is closed', async () => {
  const store = new Store('hangs');
  const line = store.line();
  const stop = new AbortController();
  const given = store.timed(line.waitFor(at(1), { timeoutMs: 5_000, signal: stop.signal }));
  stop.abort();
  expect((await given)[1]).toBeLessThanOrEqual(slackMs);
  const closed = store.timed(line.waitFor(at(1), { timeoutMs: 5_000 }));
  line.close();
  expect((await closed)[1]).toBeLessThanOrEqual(slackMs);
});

test('what a look fails with is told to all who wait, and the next one looks again', async () => {
  const clock = new VirtualClock();
  let fails = false;
  const line = new PolledLine({
    ...{ clock, waitersMax: 10, pollMsMin: 1, pollMsMax: 8, quietLooksInStep: 50 },
    look: async () => {
      if (fails) throw new Error('away');
      return at(1);
    },
  });
  const waits = [at(2), at(3)].map((one) => line.waitFor(one, { timeoutMs: 5_000 }));
  const told = Promise.allSettled(waits);
  await clock.advance(10);
  fails = true;
  expect((await clock.until(told)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  fails = false;
  expect(await clock.until(line.waitFor(at(1), { timeoutMs: 5_000 }))).toBe('reached');
});
