import { memoryEventLog } from '@annals/event-log';
import { VirtualClock } from '@annals/projection/testing';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import { IdempotencyStore } from '../idempotency/index.ts';
import { housekeepingSteps } from './housekeeping.ts';
import { PruneMarks } from './prune-marks.ts';

const dayMs = 86_400_000;

test('a restart goes on pruning where it ended; in a copy of the log it begins anew', async () => {
  const clock = new VirtualClock(Date.parse('2026-11-24T12:00:00Z'));
  const cipher = subjectCipher(memorySubjectKeyStore());
  const open = (log: ReturnType<typeof memoryEventLog>) => {
    const store = new IdempotencyStore({ log, cipher, clock, holder: 'one' });
    const walks: { from: object; pruned: number }[] = [];
    const keys: Pick<IdempotencyStore, 'prune'> = {
      prune: async (from = {}) => {
        const walk = await store.prune(from);
        walks.push({ from, pruned: walk.pruned });
        return walk;
      },
    };
    const pruned = new PruneMarks({ log, cipher });
    const steps = housekeepingSteps({
      finance: { expire: async () => 0 } as never,
      keys,
      pruned,
      clock,
    });
    const prune = () =>
      steps.find(({ name }) => name === 'prune-keys')?.run(new AbortController().signal);
    return { store, prune, walks };
  };
  const log = memoryEventLog({ clock });
  const answered = async (store: IdempotencyStore, key: string) => {
    const request = { caller: 'shop', key, subject: 'buyer:ann', content: key };
    await store.once(request, async () => {
      const answer = { status: 200, contentType: 'application/json', body: '{}' };
      return { kind: 'answer', answer };
    });
  };
  const first = open(log);
  for (const key of ['a', 'b', 'c']) {
    await answered(first.store, key);
    clock.jump(31 * dayMs);
    await first.prune();
  }
  expect(first.walks.map(({ pruned }) => pruned)).toEqual([1, 1, 1]);
  // Nothing is due: no mark is put.
  const { head } = await log.readStream('keyspruned-all');
  await first.prune();
  expect((await log.readStream('keyspruned-all')).head).toBe(head);

  const again = open(log);
  await answered(again.store, 'd');
  clock.jump(31 * dayMs);
  await again.prune();
  expect(again.walks).toEqual([
    { from: expect.objectContaining({ 0: expect.any(String) }), pruned: 1 },
  ]);

  const copy = memoryEventLog({ clock });
  await copy.append('other-1', [], { expected: 'any' }).catch(() => undefined);
  const { events } = await log.read('start', {}, { limit: 10_000 });
  const marks = events.filter(({ stream }) => stream.startsWith('keyspruned-'));
  for (const own of [marks, events.filter((one) => !marks.includes(one))]) {
    for (const { stream, id, type, schemaVersion, data, contentHash, occurredAt } of own) {
      const event = { id, type, schemaVersion, data, contentHash, occurredAt };
      await copy.append(stream, [event as never], { expected: 'any' });
    }
  }
  const copied = open(copy);
  await copied.prune();
  expect(copied.walks).toEqual([{ from: {}, pruned: 0 }]);
});
