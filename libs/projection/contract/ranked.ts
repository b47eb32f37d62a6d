import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Row } from '../projection.ts';
import type { GenerationStore, RowChange } from '../store.ts';
import { entries, entry, putEntry, remove, Share, sampleSpec } from './samples.ts';
import {
  openAgain,
  openFresh,
  openGeneration,
  openSample,
  type ProjectionSite,
  type StoreOpeners,
} from './site.ts';

/** Scores that are equal, near, of both signs, and at the borders of the safe integers. */
const score = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: -70_000, max: 70_000 }),
  fc.maxSafeInteger(),
  fc.constantFrom(255, 256, 65_535, 65_536, 2 ** 53 - 1, -(2 ** 53) + 1),
);

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      board: fc.constantFrom('a', 'b'),
      player: fc.constantFrom('p', 'q', 'r', 's', 't', 'u'),
      score: fc.option(score, { nil: null, freq: 10 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      board: fc.constantFrom('a', 'b'),
      player: fc.constantFrom('p', 'q', 'r', 's', 't', 'u'),
    }),
  },
);
const history = fc.record({
  batches: fc.array(fc.array(step, { maxLength: 12 }), { minLength: 1, maxLength: 8 }),
  /** After which batch the generation is finished building. */
  finishedAfter: fc.nat(8),
});
type History = typeof history extends fc.Arbitrary<infer T> ? T : never;

export function describeRanked(openers: StoreOpeners): void {
  describe('ranked counts', () => {
    test('agree with a naive count for any history', async () => {
      const run = async ({ batches, finishedAfter }: History) => {
        const { site, generation, close } = await openOnce(openers);
        try {
          const share = await Share.take(generation);
          const model = new Map<string, { board: string; score: number | null }>();
          for (const [n, batch] of batches.entries()) {
            await share.commit(...changesOf(batch, model));
            if (n !== finishedAfter % batches.length) continue;
            await generation.finishBuilding?.();
            await expectCounts(site, model);
          }
          await generation.finishBuilding?.();
          await expectCounts(site, model);
          await expectNoProblems(generation);
        } finally {
          await close();
        }
      };
      await fc.assert(fc.asyncProperty(history, run), { numRuns: openers.propertyRuns ?? 30 });
    }, 120_000);

    test('hold for thousands of rows with heavy ties', async () => {
      const { site, generation } = await openSample(openers);
      const share = await Share.take(generation);
      const scoreOf = (n: number) => (n * n) % 97;
      const rows = Array.from({ length: 3_000 }, (_, n) => entry('a', `p${n}`, scoreOf(n)));
      const putNew = (row: Row): RowChange => ({ ...putEntry(row), before: null });
      await share.commit(...rows.slice(0, 1_500).map(putNew));
      await generation.finishBuilding?.();
      // Some are written again in one batch with others that are new.
      await share.commit(
        ...rows.slice(1_000, 1_500).map(putEntry),
        ...rows.slice(1_500).map(putNew),
      );
      for (const above of [-1, 0, 1, 48, 95, 96, 97]) {
        const naive = rows.filter((row) => (row.score as number) > above).length;
        expect(await site.countAbove(1, 'entries', ['a'], above)).toBe(naive);
      }
      await expectNoProblems(generation);
    });

    test('are the same after opening again, and finishing the building again', async () => {
      const { site, generation } = await openSample(openers);
      const share = await Share.take(generation);
      await share.commit(putEntry(entry('a', 'p', 5)), putEntry(entry('a', 'q', 7)));
      await generation.finishBuilding?.();
      await generation.close();
      const again = await openGeneration(await openAgain(site), 1);
      await again.finishBuilding?.();
      await (await Share.take(again)).commit(putEntry(entry('a', 'p', 8)));
      expect(await site.countAbove(1, 'entries', ['a'], 6)).toBe(2);
      await expectNoProblems(again);
    });
  });
}

/** Closed by the caller: a property runs many times within one test. */
async function openOnce(openers: StoreOpeners) {
  const { site, store } = await openFresh(openers);
  await store.create(sampleSpec);
  const generation = await store.open(1);
  if (generation === 'lost') throw new Error('the new generation is lost');
  return {
    site,
    generation,
    close: async () => {
      await generation.close();
      await store.close();
    },
  };
}

type Model = Map<string, { board: string; score: number | null }>;

/** Folds a batch of steps, as a projector does: one change for each row, which says what it was. */
function changesOf(batch: History['batches'][number], model: Model) {
  const there = new Map(model);
  const changes = new Map<string, RowChange>();
  for (const one of batch) {
    const key = `${one.board}/${one.player}`;
    if (one.kind === 'delete') {
      model.delete(key);
      changes.set(key, remove(entries, one.board, one.player));
    } else {
      const { board, player, score } = one;
      model.set(key, { board, score });
      const before = there.get(key);
      const former = before && { board, player, score: before.score, name: null };
      const change = putEntry({ board, player, score, name: null });
      changes.set(key, { ...change, before: former ?? null });
    }
  }
  return [...changes.values()];
}

async function expectCounts(site: ProjectionSite, model: Model): Promise<void> {
  const held = [...model.values()].flatMap(({ score }) => (score === null ? [] : [score]));
  const near = held.flatMap((score) => [score - 1, score, score + 1]).filter(Number.isSafeInteger);
  for (const board of ['a', 'b', 'none']) {
    for (const above of new Set([...near, 0, -(2 ** 53) + 1])) {
      const naive = [...model.values()].filter(
        (one) => one.board === board && one.score !== null && one.score > above,
      ).length;
      const counted = await site.countAbove(1, 'entries', [board], above);
      expect({ board, above, counted }).toEqual({ board, above, counted: naive });
    }
  }
}

async function expectNoProblems(generation: GenerationStore): Promise<void> {
  const snapshot = await generation.snapshot();
  onTestFinished(() => snapshot.close());
  expect(await snapshot.problems()).toEqual([]);
  await snapshot.close();
}
