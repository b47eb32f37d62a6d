import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { DurationHistogram } from './duration-histogram.ts';

describe('the histogram of durations', () => {
  it("says what prom-client's own would say", async () => {
    const observation = fc.record({
      route: fc.constantFrom('/a', '/b"\\n'),
      status: fc.constantFrom(200, 404, 500),
      seconds: fc.oneof(
        fc.constantFrom(0, 0.001, 0.01, 10, 11),
        fc.double({ min: 0, max: 20, noNaN: true }),
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(observation, { minLength: 1 }), async (observations) => {
        const [registry, reference] = [new Registry(), new Registry()];
        const theirs = new Histogram({
          name: 'durations',
          help: 'x',
          labelNames: ['route', 'status'],
          buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
          registers: [reference],
        });
        const ours = new DurationHistogram(registry, 'durations', 'x', []);
        const observers = new Map(
          ['/a', '/b"\\n'].map((route) => [route, ours.observer({ route })]),
        );
        for (const { route, status, seconds } of observations) {
          observers.get(route)?.(status, seconds);
          theirs.observe({ route, status }, seconds);
        }
        const lines = async (from: Registry) => (await from.metrics()).split('\n').toSorted();
        expect(await lines(registry)).toEqual(await lines(reference));
      }),
    );
  });

  it('can be reset like any other', async () => {
    const registry = new Registry();
    new DurationHistogram(registry, 'durations', 'x', []).observer({})(200, 1);
    registry.resetMetrics();
    expect(await registry.metrics()).toContain('durations_count{status="200"} 0');
  });
});
