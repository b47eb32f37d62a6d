import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { type BreakClass, breakClasses } from './break-classes.ts';
import { bad, type MappedLine } from './mapped-line.ts';
import type { Break } from './match-key.ts';
import { type Movement, movementOfBank, movementOfSettlement } from './movement.ts';
import { reconcile, waitingOf } from './reconcile.ts';
import { settlementRows } from './settlement-csv.ts';
import { fileOf } from './testing/files.ts';

const until = Date.parse('2026-11-25T00:00:00Z');
const scratchFolder = await mkdtemp(join(tmpdir(), 'annals-test-'));
afterAll(() => rm(scratchFolder, { recursive: true }));
const noon = Date.parse('2026-11-24T12:00:00Z');
const late = until - 1_000;

function movement(key: string, changes: Partial<Movement> = {}): Movement {
  const plain = { status: 'captured', currency: 'USD', amount: 1_000n, fee: 30n } as const;
  return { key, ...plain, at: noon, id: `id-${key}`, waited: 0, ...changes };
}

type FileLine = Movement | 'bad';

async function* fileWith(lines: readonly FileLine[]): AsyncGenerator<MappedLine<Movement>[]> {
  for (const [index, line] of lines.entries()) {
    yield line === 'bad'
      ? [bad(index + 2, 'wrong-amount', 'gross is no amount')]
      : [{ kind: 'row', line: index + 2, row: line }];
  }
}

async function* ledgerWith(entries: readonly Movement[]): AsyncGenerator<readonly Movement[]> {
  for (const entry of entries) yield [entry];
}

interface Sides {
  readonly file: readonly FileLine[];
  readonly ledger: readonly Movement[];
  readonly waiting?: { outside: readonly Movement[]; ledger: readonly Movement[] };
  readonly until?: number;
}

async function run(sides: Sides, runRows = 1_000, folder = scratchFolder) {
  const breaks: Break[] = [];
  const result = await reconcile({
    file: fileWith(sides.file),
    movementOf: (row: Movement) => row,
    ledger: ledgerWith(sides.ledger),
    ...(sides.waiting ? { waiting: sides.waiting } : {}),
    until: sides.until ?? until,
    onBreaks: (found) => void breaks.push(...found),
    scratchFolder: folder,
    runRows,
  });
  return { ...result, found: breaks };
}

const shown = (found: readonly Break[]) => found.map((one) => `${one.class} ${one.key}`).sort();

describe('each class of break', () => {
  const cases: readonly [of: BreakClass, file: readonly FileLine[], ledger: readonly Movement[]][] =
    [
      ['missing_in_psp', [], [movement('a')]],
      ['missing_in_ledger', [movement('a')], []],
      ['amount_mismatch', [movement('a', { amount: 1_002n })], [movement('a')]],
      ['currency_mismatch', [movement('a', { currency: 'EUR' })], [movement('a')]],
      ['status_mismatch', [movement('a', { status: 'dispute_won' })], [movement('a')]],
      ['duplicate_in_psp', [movement('a'), movement('a')], [movement('a')]],
      ['duplicate_in_ledger', [movement('a')], [movement('a'), movement('a', { id: 'again' })]],
      ['fee_mismatch', [movement('a', { fee: 31n })], [movement('a')]],
      ['timing', [movement('a', { at: late })], []],
      ['timing', [], [movement('a', { at: late })]],
      ['rounding', [movement('a', { amount: 999n })], [movement('a')]],
      ['unidentified_row', ['bad'], []],
    ];
  test.each(cases)('%s', async (of, file, ledger) => {
    const sound = movement('sound');
    const { found, breaks, matched } = await run({
      file: [sound, ...file],
      ledger: [...ledger, sound],
    });
    expect(found.map((one) => one.class)).toEqual([of]);
    expect(breaks[of]).toBe(1);
    expect(matched).toBeGreaterThanOrEqual(1);
  });

  test('every class is tried above', () => {
    expect(new Set(cases.map(([of]) => of))).toEqual(new Set(breakClasses));
  });

  test('no break where both sides say the same, in any order', async () => {
    const all = ['c', 'a', 'b'].map((key) => movement(key));
    expect((await run({ file: all, ledger: [...all].reverse() })).found).toEqual([]);
  });

  test('a fee that cannot be right is not corrected by itself', async () => {
    const { found } = await run({ file: [movement('a', { fee: 500n })], ledger: [movement('a')] });
    expect(found).toMatchObject([{ class: 'fee_mismatch', treatment: 'finance' }]);
  });

  test('amount and fee may both be off', async () => {
    const line = movement('a', { amount: 900n, fee: 20n });
    const { found } = await run({ file: [line], ledger: [movement('a')] });
    expect(shown(found)).toEqual(['amount_mismatch a', 'fee_mismatch a']);
  });

  test('what happened to one key is compared one by one', async () => {
    const won = [movement('a'), movement('a', { status: 'dispute_opened', amount: -1_000n })];
    expect((await run({ file: won, ledger: [...won].reverse() })).found).toEqual([]);
  });
});

describe('corrections', () => {
  const entry = movement('a');
  const correction = (changes: Partial<Movement>) =>
    movement('a', { id: 'fix', corrects: entry.id, amount: 0n, fee: 0n, ...changes });

  test('are added to what they correct', async () => {
    const file = [movement('a', { amount: 1_005n, fee: 31n })];
    const ledger = [correction({ amount: 5n, fee: 1n }), entry];
    expect((await run({ file, ledger })).found).toEqual([]);
  });

  test('to nothing take the entry away', async () => {
    const ledger = [entry, correction({ amount: -1_000n, fee: -30n })];
    expect((await run({ file: [], ledger })).found).toEqual([]);
  });

  test('of an entry that is not there stop the run: the caller left something out', async () => {
    await expect(run({ file: [], ledger: [correction({})] })).rejects.toThrow(
      'is not such an entry',
    );
  });
});

describe('what waits for the next file', () => {
  test('is gone when its other side comes', async () => {
    const entry = movement('a', { at: late });
    const first = await run({ file: [], ledger: [entry] });
    const waiting = waitingOf(first.found);
    const nextDay = until + 86_400_000;
    const second = await run({ file: [movement('a')], ledger: [], waiting, until: nextDay });
    expect(second.found).toEqual([]);
    expect(second.matched).toBe(1);
  });

  test('is missing after three files', async () => {
    let waiting = waitingOf((await run({ file: [], ledger: [movement('a', { at: late })] })).found);
    const classes: string[] = [];
    for (let file = 0; file < 3; file += 1) {
      const next = await run({ file: [], ledger: [], waiting, until: until + 86_400_000 });
      classes.push(...next.found.map((one) => one.class));
      waiting = waitingOf(next.found);
    }
    expect(classes).toEqual(['timing', 'timing', 'missing_in_psp']);
  });
});

describe('a refund that is pending with us', () => {
  const line = movement('re_1', { status: 'refunded', amount: -300n, fee: 0n });
  const pending = { ...line, status: 'refund_pending', id: 'ours' } as const;
  const after = (day: number) => ({ until: until + day * 86_400_000 });

  test('waits beside its line for as many files as it takes, and then agrees with it', async () => {
    let { found } = await run({ file: [line], ledger: [pending] });
    for (let day = 1; day <= 10; day += 1) {
      expect(shown(found)).toEqual(['timing re_1']);
      expect(found[0]).toMatchObject({ outside: { id: line.id }, ledger: { id: 'ours' } });
      ({ found } = await run({ file: [], ledger: [], waiting: waitingOf(found), ...after(day) }));
    }
    const succeeded = { ...line, id: 'succeeded', at: noon + 11 * 86_400_000 };
    const waiting = waitingOf(found);
    const end = await run({ file: [], ledger: [succeeded], waiting, ...after(11) });
    expect(end).toMatchObject({ found: [], matched: 1 });
  });

  test('has moved nothing without a line, and is not looked at once it has succeeded', async () => {
    expect((await run({ file: [], ledger: [pending] })).found).toEqual([]);
    const both = [pending, { ...line, id: 'succeeded' }];
    expect(await run({ file: [line], ledger: both })).toMatchObject({ found: [], matched: 1 });
    const lateOne = { ...pending, at: late };
    expect(shown((await run({ file: [], ledger: [lateOne] })).found)).toEqual(['timing re_1']);
  });

  test('of another amount is a mismatch at once; without it the line is missing with us', async () => {
    const other = { ...pending, amount: -100n };
    const mismatch = await run({ file: [line], ledger: [other] });
    expect(shown(mismatch.found)).toEqual(['amount_mismatch re_1']);
    expect(shown((await run({ file: [line], ledger: [] })).found)).toEqual([
      'missing_in_ledger re_1',
    ]);
  });
});

/** How to break a pair of equal movements in one way, and the entry that mends our side. */
interface Injection {
  readonly of: BreakClass;
  readonly file: (line: Movement) => readonly FileLine[];
  readonly ledger: (entry: Movement) => readonly Movement[];
  /** Entries that are added to our side to mend it; undefined where only the other side can be mended. */
  readonly mend?: (line: Movement) => readonly Movement[];
}

const same = (one: Movement) => [one];
const fix = (line: Movement, changes: Partial<Movement>): Movement => ({
  ...line,
  ...{ amount: 0n, fee: 0n, id: `fix-${line.id}`, corrects: line.id },
  ...changes,
});
const undo = (entry: Movement) => fix(entry, { amount: -entry.amount, fee: -entry.fee });
const book = (line: Movement): Movement => ({ ...line, id: `new-${line.id}` });

const injections: readonly Injection[] = [
  { of: 'missing_in_psp', file: () => [], ledger: same, mend: (line) => [undo(line)] },
  { of: 'missing_in_ledger', file: same, ledger: () => [], mend: (line) => [book(line)] },
  {
    of: 'amount_mismatch',
    file: (line) => [{ ...line, amount: line.amount + 7n }],
    ledger: same,
    mend: (line) => [fix(line, { amount: 7n })],
  },
  {
    of: 'rounding',
    file: (line) => [{ ...line, amount: line.amount - 1n }],
    ledger: same,
    mend: (line) => [fix(line, { amount: -1n })],
  },
  {
    of: 'fee_mismatch',
    file: (line) => [{ ...line, fee: line.fee + 1n }],
    ledger: same,
    mend: (line) => [fix(line, { fee: 1n })],
  },
  {
    of: 'currency_mismatch',
    file: (line) => [{ ...line, currency: 'EUR' }],
    ledger: same,
    mend: (line) => [undo(line), book({ ...line, currency: 'EUR' })],
  },
  {
    of: 'status_mismatch',
    file: (line) => [{ ...line, status: 'payout_returned' }],
    ledger: same,
    mend: (line) => [undo(line), book({ ...line, status: 'payout_returned' })],
  },
  {
    of: 'duplicate_in_ledger',
    file: same,
    ledger: (entry) => [entry, { ...entry, id: `twice-${entry.id}` }],
    mend: (line) => [undo({ ...line, id: `twice-${line.id}` })],
  },
  { of: 'duplicate_in_psp', file: (line) => [line, line], ledger: same },
  { of: 'timing', file: () => [], ledger: (entry) => [{ ...entry, at: late }] },
  { of: 'unidentified_row', file: (line) => [line, 'bad'], ledger: same },
];

test('property: just the injected breaks are found, each in its class, and none after they are mended', async () => {
  expect(new Set(injections.map(({ of }) => of))).toEqual(new Set(breakClasses));
  const sizes = fc.record({
    amount: fc.bigInt({ min: 1_000n, max: 10n ** 12n }),
    negative: fc.boolean(),
    status: fc.constantFrom('captured', 'refunded', 'dispute_opened', 'paid_out'),
    injected: fc.option(fc.constantFrom(...injections), { freq: 2 }),
    order: fc.nat(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(sizes, { maxLength: 60 }), async (all) => {
      const file: FileLine[] = [];
      const ledger: Movement[] = [];
      const expected: string[] = [];
      const mended: Movement[] = [];
      const left: string[] = [];
      for (const [index, { amount, negative, status, injected }] of all.entries()) {
        const size = { amount: negative ? -amount : amount, fee: amount / 50n };
        const line = movement(`k${index}`, { ...size, status: status as Movement['status'] });
        file.push(...(injected?.file ?? same)(line));
        ledger.push(...(injected?.ledger ?? same)(line));
        if (!injected) continue;
        expected.push(injected.of);
        if (injected.mend) mended.push(...injected.mend(line));
        else left.push(injected.of);
      }
      const byOrder = (at: number) => all[at % Math.max(1, all.length)]?.order ?? 0;
      const shuffled = [...ledger.keys()]
        .sort((a, b) => byOrder(a) - byOrder(b))
        .map((at) => ledger[at] as Movement);
      const classes = (found: readonly Break[]) => found.map((one) => one.class).sort();
      const first = await run({ file, ledger: shuffled }, 17);
      expect(classes(first.found)).toEqual(expected.sort());
      const second = await run({ file, ledger: [...shuffled, ...mended] }, 17);
      expect(classes(second.found)).toEqual(left.sort());
    }),
    { numRuns: 40 },
  );
}, 60_000);

test('the size of sorted runs makes no difference, and no scratch file is left', async () => {
  const file = Array.from({ length: 500 }, (_, at) => movement(`k${(at * 7919) % 500}\t%\u00e9`));
  const ledger = file.filter((_, at) => at % 5 !== 0).map((one) => ({ ...one, fee: 29n }));
  const inMemory = await run({ file, ledger }, 10_000);
  expect(inMemory.breaks).toMatchObject({ fee_mismatch: 400, missing_in_ledger: 100 });
  for (const runRows of [1, 7, 64, 900]) {
    const { found, ...rest } = await run({ file, ledger }, runRows);
    expect(shown(found)).toEqual(shown(inMemory.found));
    expect(rest).toEqual({ ...inMemory, found: undefined });
  }
  const broken = run({ file: [], ledger: [movement('a', { corrects: 'nobody' })] });
  await expect(broken).rejects.toThrow();
  expect(await readdir(scratchFolder)).toEqual([]);
}, 60_000);

test('what fits one sorted run touches no disk', async () => {
  const file = Array.from({ length: 8 }, (_, at) => movement(`k${at}`));
  const nowhere = join(scratchFolder, 'is-not-there');
  expect((await run({ file, ledger: file }, 100, nowhere)).matched).toBe(8);
  await expect(run({ file, ledger: file }, 4, nowhere)).rejects.toThrow('ENOENT');
}, 30_000);

test('a settlement file beside our entries', async () => {
  const content = [
    'balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id,payment_intent_id',
    'txn_1,2026-11-24 12:00:00,usd,10.00,0.30,9.70,charge,ch_1,pi_1',
    'txn_2,2026-11-24 12:00:00,usd,-10.00,0.00,-10.00,refund,re_1,pi_1',
    'txn_3,2026-11-24 12:00:00,usd,5.00,0.00,5.00,advance,ad_1,',
    'txn_4,2026-11-24 12:00:00,usd,5.00,0.00',
    'txn_5,2026-11-24 12:00:00,usd,7.00,0.00,7.00,topup,tu_1,',
    'txn_6,2026-11-24 12:00:00,usd,-0.40,0.00,-0.40,fee,fee_1,',
    'txn_7,2026-11-24 12:00:00,usd,-9.00,0.00,-9.00,payout,po_1,',
    'txn_7,2026-11-24 12:00:00,usd,-9.00,0.00,-9.00,payout,po_1,',
  ].join('\n');
  const breaks: Break[] = [];
  const { settled } = await reconcile({
    file: settlementRows(fileOf(content)),
    movementOf: movementOfSettlement,
    ledger: ledgerWith([
      movement('pi_1'),
      movement('re_1', { status: 'refunded', amount: -1_000n, fee: 0n }),
    ]),
    until,
    onBreaks: (found) => void breaks.push(...found),
  });
  expect(breaks.map((one) => [one.class, one.line])).toEqual([
    ['unidentified_row', 4],
    ['unidentified_row', 5],
    ['duplicate_in_psp', undefined],
    ['missing_in_ledger', undefined],
  ]);
  // A top-up of 7.00 came from the bank and a payout of 9.00, told twice, went there; 0.40 is the provider's.
  expect(settled).toEqual(new Map([['USD', { bank: 200n, fees: 40n }]]));
});

test('a booking of the bank is a payout that was paid or came back', () => {
  const row = { id: 'b1', bookedAt: noon, currency: 'EUR', text: '' };
  const of = (reference: string, amount: bigint, status: 'booked' | 'returned' = 'booked') =>
    movementOfBank({ ...row, reference, amount, status });
  expect(of('po-1', -500n)).toMatchObject({ key: 'po-1', status: 'paid_out', amount: -500n });
  expect(of('po-1', 500n)).toMatchObject({ status: 'payout_returned', amount: 500n });
  expect(of('', -500n)).toBeUndefined();
});
