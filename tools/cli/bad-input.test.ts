import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gzipSync } from 'node:zlib';
import { logFileName } from '@annals/event-log-sqlite';
import { dataLayout } from '@annals/projector';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { annals, temporaryFolder } from './testing/cli.ts';
import { appendScores, filesBelow, scoredFolder } from './testing/data-folder.ts';

// Files are synced, and the machine may be busy: slow is no failure here.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

interface Refusal {
  readonly argv: readonly string[];
  readonly exitCode: number;
  readonly message: RegExp;
}

/** One line on stderr, the same as JSON with --json, and nothing anywhere else. */
async function expectRefusal({ argv, exitCode, message }: Refusal, folder: string): Promise<void> {
  const before = await contentOf(folder);
  const plain = await annals(argv);
  expect(plain).toMatchObject({ code: exitCode, out: '' });
  expect(plain.err).toMatch(/^annals: [^\n]+\n$/);
  expect(plain.err).toMatch(message);
  expect(plain.err).not.toMatch(/\bat .*\.ts:\d+/);
  const json = await annals([...argv, '--json']);
  expect(json).toMatchObject({ code: exitCode, out: '' });
  const told = JSON.parse(json.err) as { error: string; code: string; exit_code: number };
  expect(told.error).toMatch(message);
  expect(told.exit_code).toBe(exitCode);
  expect(told.code).toMatch(/^[a-z]+(-[a-z]+)*$/);
  expect(await contentOf(folder)).toEqual(before);
}

/** The files of a folder, but for those that SQLite keeps beside an open one, and the events of its log. */
async function contentOf(folder: string) {
  const files = [...(await filesBelow(folder)).keys()].filter((path) => !/-(wal|shm)$/.test(path));
  const log = files.find((path) => path.endsWith(logFileName));
  return { files: files.sort(), events: log && storedEvents(log) };
}

function storedEvents(file: string): unknown {
  try {
    using db = new DatabaseSync(file, { readOnly: true });
    return db.prepare('SELECT count(*) AS events, max(position) AS last FROM events').get();
  } catch {
    // No log at all: these tests make some.
    return undefined;
  }
}

const { usage, unavailable, refused } = exitCodes;

describe('a wrong command line', () => {
  const known = /there is no projection "frob"; there is: leaderboard/;
  const table: readonly (readonly [string, number, RegExp])[] = [
    ['frob', usage, /unknown command 'frob'/],
    ['log frob', usage, /unknown command 'frob'/],
    ['log hed', usage, /Did you mean head/],
    ['status --frob', usage, /unknown option '--frob'/],
    ['rebuild', usage, /missing required argument 'name'/],
    ['log head too much', usage, /too many arguments/],
    ['drop leaderboard', usage, /required option '--generation/],
    ['keys issue a', usage, /required option '--scope/],
    ['keys issue a --scope scores:frob', usage, /There are: scores:read/],
    ['keys issue a --scope admin --expires tomorrow', usage, /A time is written/],
    ['keys issue a --scope admin --expires 2020-01-01', usage, /a time ahead/],
    ['keys issue a --scope admin --expires 9999-01-01', usage, /ten years away at most/],
    ['rebuild frob', usage, known],
    ['verify frob', usage, known],
    ['promote frob', usage, known],
    ['rollback frob', usage, known],
    ['drop frob --generation g1 --yes', usage, known],
    ['dead-letters list frob', usage, known],
    ['dead-letters show frob a-b', usage, known],
    ['dead-letters retry frob', usage, known],
    ['dead-letters discard frob a-b --yes', usage, known],
    ['rebuild leaderboard --until yesterday', usage, /It is a time, as in/],
    ['rebuild leaderboard --until 2026-02-31', usage, /It is a time, as in/],
    ['rebuild leaderboard --until 2126-01-01', usage, /in the future/],
    ['rebuild leaderboard --until 0:9999999999999999', usage, /before that position/],
    ['rebuild leaderboard --workers 0', usage, /whole number from 1/],
    ['rebuild leaderboard --workers 1e3', usage, /whole number from 1/],
    ['rebuild leaderboard --throttle 0', usage, /share of the time/],
    ['rebuild leaderboard --throttle 1.5', usage, /share of the time/],
    ['verify leaderboard --generation frob', usage, /written g1, g2/],
    ['verify leaderboard', refused, /rebuild first/],
    ['promote leaderboard', refused, /rebuild first/],
    ['rollback leaderboard', refused, /no earlier generation/],
    ['dead-letters list leaderboard', refused, /no live generation/],
    ['log export FOLDER/no/out.ndjson', usage, /there is no folder \S+\/no to write out.ndjson to/],
    ['log export FOLDER --yes', usage, /is a folder: name a file in it/],
    ['log export FOLDER/log/events.sqlite/out.gz', usage, /a part of its path is a file/],
    ['log export out.ndjson --from frob', usage, /A checkpoint looks as/],
    ['log verify --hash abc', usage, /64 hex digits/],
    ['subjects erase ann --yes', usage, /not of the form kind:id/],
    ['subjects erase Player:ann --yes', usage, /the kind of subject/],
  ];

  /** Names of things that are not there: one rule for all. */
  const namesOfNothing: readonly (readonly [string, number, RegExp])[] = [
    ['status frob', usage, known],
    ['rebuild frob --dry-run', usage, known],
    ['verify leaderboard --generation g7', usage, /no generation g7/],
    ['promote leaderboard --generation g7', usage, /no generation g7/],
    ['drop leaderboard --generation g7 --yes', usage, /no generation g7/],
    ['dead-letters list leaderboard --generation g7', usage, /no generation g7/],
    ['dead-letters retry leaderboard --generation g7', usage, /no generation g7/],
    ['log show frob-1', usage, /no stream "frob-1"/],
    ['log import FOLDER/frob', usage, /there is no file/],
    ['log export FOLDER/frob/out', usage, /there is no folder/],
    ['keys revoke frob --yes', usage, /there is no key "frob"/],
    ['keys revoke 0123456789abcdef --yes', usage, /there is no key "0123456789abcdef"/],
  ];

  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'annals-cli-'));
    await appendScores(folder, 0, 20);
    // The first opening of a folder makes its keys: not what is looked at here.
    await annals(['rebuild', 'leaderboard', '--dry-run', '--data', folder]);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each([...table, ...namesOfNothing])('annals %s', async (line, exitCode, message) => {
    const words = line.split(' ').map((word) => word.replace('FOLDER', folder));
    await expectRefusal({ argv: [...words, '--data', folder], exitCode, message }, folder);
  });

  it('may hold control characters: they are not printed', async () => {
    const { err } = await annals(['rebuild', '\u001b[31mred\u0007', '--data', folder]);
    expect(err).toMatch(/^annals: [\x20-\x7e]+\n$/);
  });

  it('an ANNALS_MASTER_KEY that is none is refused, and not shown', async () => {
    const env = { ANNALS_MASTER_KEY: 'hunter2' };
    const { code, err } = await annals(['status', '--data', folder], { env });
    expect(code).toBe(usage);
    expect(err).toMatch(/^annals: ANNALS_MASTER_KEY must be 64 hex digits\n$/);
  });
});

const needingData = [
  'status',
  'rebuild leaderboard',
  'rebuild leaderboard --dry-run',
  'verify leaderboard',
  'promote leaderboard',
  'rollback leaderboard',
  'drop leaderboard --generation g1 --yes',
  'dead-letters list leaderboard',
  'dead-letters retry leaderboard',
  'log head',
  'log show player-ann',
  'log tail',
  'log tail --follow',
  'log export -',
  'log backup backup',
  'log verify',
  'keys issue a --scope admin',
  'keys list',
  'keys revoke abc --yes',
  'subjects erase player:ann --yes',
];

describe('a data folder', () => {
  it.each(needingData)('that is missing: annals %s', async (line) => {
    const folder = await temporaryFolder();
    const argv = [...line.split(' '), '--data', join(folder, 'nowhere')];
    const message = /there is no event log in .*nowhere.*--data or ANNALS_DATA/;
    await expectRefusal({ argv, exitCode: unavailable, message }, folder);
  });

  it('with a log of a newer format', async () => {
    const folder = await scoredFolder(1);
    using db = new DatabaseSync(join(dataLayout(folder).log, logFileName));
    db.exec('PRAGMA user_version = 99');
    await annals(['rebuild', 'leaderboard', '--data', folder]);
    for (const line of needingData) {
      const argv = [...line.split(' '), '--data', folder];
      const message = /has format 99.*use a newer program/;
      await expectRefusal({ argv, exitCode: unavailable, message }, folder);
    }
  });

  it('whose log is no log', async () => {
    const folder = await temporaryFolder();
    await mkdir(dataLayout(folder).log, { recursive: true });
    const file = join(dataLayout(folder).log, logFileName);
    for (const [content, exitCode, message] of [
      ['This is a text about logs. '.repeat(100), unavailable, /not an SQLite database/],
      ['', exitCodes.failed, /is empty: its content was lost/],
    ] as const) {
      await writeFile(file, content);
      const argv = ['status', '--data', folder];
      await expectRefusal({ argv, exitCode, message }, folder);
    }
  });

  it('that is no folder', async () => {
    const folder = await scoredFolder(3);
    const file = join(folder, 'export.ndjson');
    await annals(['log', 'export', file, '--data', folder]);
    const argv = ['log', 'import', file, '--data', file];
    const message =
      /export\.ndjson\/log cannot be used: a part of its path is a file, not a folder$/m;
    await expectRefusal({ argv, exitCode: unavailable, message }, folder);
  });

  it('that is named by ANNALS_DATA, unless --data names another', async () => {
    const folder = await scoredFolder(3);
    const env = { ANNALS_DATA: folder };
    expect((await annals(['log', 'head'], { env })).out).toContain('3 events');
    const { code } = await annals(['log', 'head', '--data', `${folder}/no`], { env });
    expect(code).toBe(unavailable);
  });

  it('whose master key is another one', async () => {
    const folder = await scoredFolder(3);
    await annals(['rebuild', 'leaderboard', '--data', folder]);
    const env = { ANNALS_MASTER_KEY: 'a'.repeat(64) };
    const { code, err } = await annals(['verify', 'leaderboard', '--data', folder], { env });
    expect(err).toMatch(/^annals: [^\n]*master key[^\n]*\n$/);
    expect(code).toBe(unavailable);
  });
});

describe('an export that cannot be imported writes nothing', () => {
  type Spoil = (lines: readonly string[]) => readonly string[] | Uint8Array | string;
  const spoiled: readonly (readonly [string, Spoil, RegExp])[] = [
    [
      'a changed event',
      (lines) => lines.with(40, (lines[40] as string).replace('points\\":', 'points\\": ')),
      /line 41: its check digits do not fit/,
    ],
    [
      'half a line',
      (lines) => lines.with(9, (lines[9] as string).slice(0, 50)),
      /line 10: it is not JSON/,
    ],
    ['an empty line', (lines) => lines.with(9, ''), /line 10: it is not JSON/],
    ['no manifest', (lines) => lines.slice(0, -1), /line 61: .*cut short/],
    ['a missing event', (lines) => lines.toSpliced(20, 1), /line 61: the manifest says events 60/],
    ['an event twice', (lines) => lines.toSpliced(20, 0, lines[20] as string), /line \d+: /],
    [
      'more behind the manifest',
      (lines) => [...lines, lines[5] as string],
      /line 63: .*behind the manifest/,
    ],
    ['another header', (lines) => lines.with(0, '{"format":"other","version":1}'), /line 1: /],
    [
      'a newer format',
      (lines) => lines.with(0, '{"format":"annals-log","version":7}'),
      /line 1: .*newer Annals/,
    ],
    ['no line at all', () => [], /there is no line at all/],
    ['something else', () => 'PK\u0003\u0004 a zip file', /line 1: it is not JSON/],
    [
      'a gzip cut short',
      (lines) => gzipSync(`${lines.join('\n')}\n`).subarray(0, 700),
      /damaged or cut short/,
    ],
    [
      'a line without end',
      (lines) => [lines[0] as string, 'x'.repeat(2_000_010)],
      /line 2: it has \d+ characters/,
    ],
  ];

  let source = '';
  let exported: readonly string[] = [];
  beforeAll(async () => {
    source = await mkdtemp(join(tmpdir(), 'annals-cli-'));
    await appendScores(source, 0, 60);
    const { out } = await annals(['log', 'export', '-', '--data', source]);
    exported = out.trimEnd().split('\n');
  });
  afterAll(() => rm(source, { recursive: true, force: true }));

  it.each(spoiled)('%s', async (_name, spoil, message) => {
    const folder = await temporaryFolder();
    const changed = spoil(exported);
    const file = join(folder, 'export');
    const bytes = Array.isArray(changed) ? changed.map((line) => `${line}\n`).join('') : changed;
    await writeFile(file, bytes as string | Uint8Array);
    const argv = ['log', 'import', file, '--data', join(folder, 'new')];
    await expectRefusal({ argv, exitCode: usage, message }, folder);
    const existing = ['log', 'import', file, '--data', source];
    await expectRefusal({ argv: existing, exitCode: usage, message }, source);
  });

  it('a file that is not there, or is a folder', async () => {
    const folder = await temporaryFolder();
    for (const [file, message] of [
      [join(folder, 'nowhere.ndjson'), /there is no file/],
      [folder, /is no file/],
    ] as const) {
      const argv = ['log', 'import', file, '--data', join(folder, 'new')];
      await expectRefusal({ argv, exitCode: usage, message }, folder);
    }
  });

  it('a log that differs', async () => {
    const source = await scoredFolder(60);
    const other = await scoredFolder(10);
    const file = join(source, 'export.gz');
    await annals(['log', 'export', file, '--data', source]);
    const db = new DatabaseSync(join(dataLayout(other).log, logFileName));
    db.exec('UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 7');
    db.close();
    const argv = ['log', 'import', file, '--data', other];
    const message = /line \d+: scores-\S+@\d+: the log has another recordedAt/;
    await expectRefusal({ argv, exitCode: refused, message }, other);
    expect((await annals(['log', 'head', '--data', other])).out).toContain('10 events');
  });

  it('what is stored is told by its line, also with --json', async () => {
    const source = await scoredFolder(5);
    const { out } = await annals(['log', 'export', '-', '--data', source]);
    await rm(dataLayout(source).log, { recursive: true });
    const stdin = out.replace('"revision":0', '"revision":9');
    const { code, err } = await annals(['log', 'import', '-', '--data', source, '--json'], {
      stdin,
    });
    expect(code).toBe(usage);
    expect(JSON.parse(err)).toMatchObject({ code: 'corrupted-line', line: 2 });
  });
});
