import { VirtualClock } from '@annals/projection/testing';
import { describe, expect, test } from 'vitest';
import { simulateKafka } from './kafka/simulate.ts';
import { simulateLeaderboard } from './leaderboard/simulate.ts';
import { simulatePayments } from './payments/simulate.ts';
import { Random } from './random.ts';
import { Trace } from './trace.ts';

describe.each([
  ['the leaderboard', simulateLeaderboard, 40, []],
  ['the log on Kafka', simulateKafka, 40, []],
  // Commands over HTTP take turns of the event loop: what took real time beside them (nights did) was seen in 87.
  ['payments', simulatePayments, 6, [87, 87]],
])('the simulation of %s', (_name, simulate, seeds, twice) => {
  test('the same seed gives the same run, byte for byte', { timeout: 60_000 }, async () => {
    for (const seed of [1, 2, 3, ...twice]) {
      const [one, other] = [await simulate(seed), await simulate(seed)];
      expect(one.failure).toBeUndefined();
      expect(other.digest).toBe(one.digest);
      expect(other.lines).toBe(one.lines);
    }
    expect((await simulate(4)).digest).not.toBe((await simulate(5)).digest);
  });

  test('its first seeds hold every promise', { timeout: 120_000 }, async () => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const { failure } = await simulate(seed);
      expect(failure, `seed ${seed}`).toBeUndefined();
    }
  });
});

describe('chance', () => {
  test('comes from the seed alone', () => {
    const draw = (seed: number) => {
      const random = new Random(seed);
      return Array.from({ length: 20 }, () => random.int(0, 1_000));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  test('weights are kept, and what weighs nothing is never drawn', () => {
    const random = new Random(1);
    const drawn = Array.from({ length: 300 }, () =>
      random.weighted([
        [3, 'a'],
        [1, 'b'],
        [0, 'c'],
      ]),
    );
    expect(new Set(drawn)).toEqual(new Set(['a', 'b']));
    expect(drawn.filter((one) => one === 'a').length).toBeGreaterThan(150);
    expect(() => random.pick([])).toThrow(RangeError);
  });
});

describe('virtual time', () => {
  test('sleepers wake in the order of their times, and what they start runs before the next', async () => {
    const clock = new VirtualClock(0);
    const woken: string[] = [];
    const sleeper = async (name: string, ms: number) => {
      await clock.sleep(ms);
      woken.push(`${name}@${clock.now()}`);
      if (name === 'a') await sleeper('c', 1);
    };
    void sleeper('b', 20);
    void sleeper('a', 10);
    await clock.advance(15);
    expect(woken).toEqual(['a@10', 'c@11']);
    await clock.advance(15);
    expect(woken).toEqual(['a@10', 'c@11', 'b@20']);
  });

  test('a jump of the clock wakes nobody; an abort wakes at once', async () => {
    const clock = new VirtualClock(0);
    const stop = new AbortController();
    let awake = false;
    const slept = clock.sleep(1_000, stop.signal).then(() => {
      awake = true;
    });
    clock.jump(5_000);
    await clock.advance(1);
    expect(awake).toBe(false);
    expect(clock.now()).toBe(5_001);
    stop.abort();
    await slept;
    expect(awake).toBe(true);
  });
});

test('a trace hashes every line and keeps the last ones', () => {
  const trace = new Trace(2);
  for (const line of ['a', 'b', 'c']) trace.say(line);
  expect(trace.kept).toEqual(['b', 'c']);
  expect(trace.lines).toBe(3);
  const other = new Trace(9);
  for (const line of ['a', 'b']) other.say(line);
  expect(other.digest()).not.toBe(trace.digest());
});
