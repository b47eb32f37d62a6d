import { memoryEventLog } from '@annals/event-log';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import { fedStore } from '../testing/fed-store.ts';
import { approveResolution, assign, comment, recordBreaks, requestResolution } from './decide.ts';
import { settlementStream } from './events.ts';
import { broken } from './match-key.ts';
import type { Movement } from './movement.ts';
import { reconciliationProjection, sqliteQueuesReadModel } from './queues.ts';
import { change, readDay } from './service.ts';

test('the queues show what waits for somebody, the oldest first, page by page', async () => {
  let now = Date.parse('2026-11-25T02:00:00Z');
  const clock = { now: () => now };
  const means = {
    log: memoryEventLog({ clock }),
    clock,
    cipher: subjectCipher(memorySubjectKeyStore()),
  };
  const line = (key: string): Movement => {
    const amounts = { currency: 'USD', amount: 1_000n, fee: 30n };
    return { key, status: 'captured', ...amounts, at: now, id: `txn-${key}`, waited: 0 };
  };
  const ids = new Map<string, string>();
  for (const date of ['2026-11-24', '2026-11-25']) {
    now += 1_000;
    const of = { psp: 'stripe', date, at: now, sha256: 'abc', mended: new Set<string>() };
    const breaks = [
      broken('missing_in_ledger', 'a', line('a'), undefined),
      broken('missing_in_ledger', 'b', line('b'), undefined),
      broken('rounding', 'r', line('r'), { ...line('r'), amount: 999n, id: 'entry-r' }),
      broken('timing', 't', line('t'), undefined),
      broken('unidentified_row', 'line 7', undefined, undefined),
    ];
    const stream = settlementStream('stripe', date);
    await change(means, stream, (day) => recordBreaks(day, { ...of, breaks }));
    for (const [id, { found }] of (await readDay(means, 'stripe', date)).breaks) {
      ids.set(`${date} ${found.key}`, id);
    }
  }
  const stream = settlementStream('stripe', '2026-11-24');
  const about = (key: string, by: string) => {
    const breakId = ids.get(`2026-11-24 ${key}`) as string;
    return { psp: 'stripe', date: '2026-11-24', at: now, breakId, by };
  };
  await change(means, stream, (day) => assign(day, { ...about('a', 'ann'), to: 'ben' }));
  await change(means, stream, (day) => comment(day, { ...about('a', 'ann'), comment: 'x' }));
  for (const key of ['a', 'b']) {
    const ask = { ...about(key, 'ann'), reason: 'known to the provider' };
    await change(means, stream, (day) => requestResolution(day, ask));
  }
  await change(means, stream, (day) => approveResolution(day, about('b', 'ben')));

  const live = await fedStore(reconciliationProjection, means.log, means.cipher);
  const queues = sqliteQueuesReadModel(live);
  const keys = async (queue: 'finance' | 'special', state: 'open' | 'proposed') => {
    const found: string[] = [];
    for (let after: { foundAt: number; breakId: string } | undefined; ; ) {
      const page = await queues.queue({ queue, state, limit: 1, ...(after ? { after } : {}) });
      if (page.kind !== 'answer') throw new Error(page.kind);
      after = page.breaks[0];
      if (!after) return found;
      found.push(...page.breaks.map(({ date, key }) => `${date} ${key}`));
    }
  };
  const open = await keys('finance', 'open');
  expect(open.toSorted()).toEqual(['2026-11-25 a', '2026-11-25 b']);
  expect(await keys('finance', 'proposed')).toEqual(['2026-11-24 a']);
  expect(await keys('special', 'open')).toEqual(['2026-11-24 line 7', '2026-11-25 line 7']);
  const [proposed] = await queues
    .queue({ queue: 'finance', state: 'proposed', limit: 5 })
    .then((page) => (page.kind === 'answer' ? page.breaks : []));
  expect(proposed).toMatchObject({ assignedTo: 'ben', requestedBy: 'ann', comments: 1 });
  await expect(queues.queue({ queue: 'finance', state: 'open', limit: 0 })).rejects.toThrow(
    'limit',
  );
});
