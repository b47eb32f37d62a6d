import { memoryEventLog } from '@annals/event-log';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import type { Psp } from '../psp/port.ts';
import { fedStore } from '../testing/fed-store.ts';
import { compareSettlement } from './compare-files.ts';
import { FileText } from './file-text.ts';
import { sqliteMovementsReadModel } from './movements.ts';
import { type NightMeans, type NightReport, reconcileNight, troublesOf } from './night.ts';
import { reconciliationProjection, sqliteQueuesReadModel, waitingBreaks } from './queues.ts';
import { reportOf } from './report.ts';
import { readDay } from './service.ts';

const date = '2026-11-24';
const good =
  'balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id,payment_intent_id\n';
const bad = 'id,amount\nx,1\n';

/** A night whose provider gives what `file.text` says; undefined: it has none. */
async function openNight() {
  const file: { text: string | undefined } = { text: bad };
  const clock = { now: () => Date.parse('2026-11-25T02:00:00Z'), sleep: async () => undefined };
  const log = memoryEventLog({ clock });
  const cipher = subjectCipher(memorySubjectKeyStore());
  const format = 'stripe-balance-change-itemized-3';
  const psp: Pick<Psp, 'name' | 'settlementFile'> = {
    name: 'stripe',
    settlementFile: async () =>
      file.text === undefined
        ? { kind: 'refused', reason: 'not_found', detail: 'no file' }
        : { kind: 'answered', value: { psp: 'stripe', date, format, chunks: chunks(file.text) } },
  };
  const movements = sqliteMovementsReadModel(await fedStore(reconciliationProjection, log, cipher));
  const means: NightMeans = { log, cipher, clock, psps: [psp], movements };
  const night = async (): Promise<NightReport> => {
    const report = await reconcileNight(means, date);
    if (report.kind === 'refused') throw new Error(report.detail);
    return report;
  };
  const waiting = async () =>
    waitingBreaks(sqliteQueuesReadModel(await fedStore(reconciliationProjection, log, cipher)));
  return { file, means, night, waiting };
}

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

test('a night whose file cannot be used is not done: a person sees why, until a file comes that can be', async () => {
  const { file, night, waiting } = await openNight();
  const first = await night();
  expect(first).toMatchObject({ kind: 'later', open: 1, providers: [{ kind: 'bad-file' }] });
  const [one, ...more] = first.providers[0]?.report.breaks ?? [];
  expect(more).toEqual([]);
  expect(one).toMatchObject({ class: 'unidentified_row', treatment: 'special', state: 'open' });
  expect(one?.detail).toMatch(/^the file of stripe cannot be used: wrong-header: .+/);
  expect(troublesOf(first)).toEqual([
    expect.stringMatching(/^2026-11-24: no file of stripe was compared: wrong-header: /),
    '2026-11-24: 1 breaks wait for somebody',
  ]);
  // The same file again is the same trouble, not another one.
  expect(await night()).toEqual(first);
  expect(await waiting()).toEqual({ finance: 0, special: 1 });
  file.text = good;
  const done = await night();
  expect(done).toMatchObject({ kind: 'done', open: 0 });
  expect(done.providers[0]?.report.breaks).toMatchObject([{ state: 'cleared' }]);
  expect(troublesOf(done)).toEqual([]);
  expect(await waiting()).toEqual({ finance: 0, special: 0 });
});

test('a day that was compared with another file of it waits for none', async () => {
  const { file, means, night } = await openNight();
  file.text = undefined;
  expect(await night()).toMatchObject({ kind: 'later', open: 0 });
  file.text = bad;
  expect(await night()).toMatchObject({ kind: 'later', open: 1 });
  const own = { psp: 'stripe', date, file: new FileText(chunks(good)) };
  expect(await compareSettlement(means, own)).toMatchObject({ kind: 'compared' });
  expect(reportOf('stripe', date, await readDay(means, 'stripe', date)).open).toBe(0);
  file.text = undefined;
  expect(await night()).toMatchObject({ kind: 'done', providers: [{ isCompared: true }] });
});
