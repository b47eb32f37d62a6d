import { cp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync } from 'node:zlib';
import { canonicalJson, sha256, systemClock } from '@annals/core';
import { eventHash, type PortableEvent } from '@annals/event-log';
import { DigestKeeper, digestKeyOf } from '@annals/event-log/digest';
import { logFileName, sqliteEventLog } from '@annals/event-log-sqlite';
import { dataLayout } from '@annals/projector';
import { keyFileName } from '@annals/subject-keys';
import { describe, expect, it, vi } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { annals, annalsJson, temporaryFolder } from './testing/cli.ts';
import {
  appendScores,
  filesBelow,
  filesHolding,
  namePlayer,
  scoredFolder,
  streamOf,
} from './testing/data-folder.ts';

// Files are synced, and the machine may be busy: slow is no failure here.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

interface Verified {
  readonly sound: boolean;
  readonly events: number;
  readonly hash: string;
  readonly personal_data_opened: boolean;
  readonly problems: readonly string[];
}

async function verified(folder: string): Promise<Verified> {
  return annalsJson<Verified>(['log', 'verify', '--data', folder]);
}

describe('log head, show and tail', () => {
  it('tell where the log stands', async () => {
    const folder = await scoredFolder(12);
    const head = await annalsJson<object>(['log', 'head', '--data', folder]);
    expect(head).toMatchObject({ events: 12, checkpoint: expect.stringMatching(/^0:0+12$/) });
    const { out } = await annals(['log', 'head', '--data', folder]);
    expect(out).toMatch(/^0:0+12 {2}12 events, the last one of \d{4}-/);
  });

  it('show one stream, in both directions, in parts', async () => {
    const folder = await scoredFolder(300);
    const stream = streamOf(0);
    const revisions = async (...flags: readonly string[]) => {
      const argv = ['log', 'show', stream, '--json', '--data', folder, ...flags];
      const { out } = await annals(argv);
      const lines = out.split('\n').filter((line) => line !== '');
      return lines.map((line) => (JSON.parse(line) as { revision: number }).revision);
    };
    const all = await revisions();
    expect(all.length).toBeGreaterThan(5);
    expect(all).toEqual(all.map((_, index) => index));
    expect(await revisions('--backward')).toEqual(all.toReversed());
    expect(await revisions('--from', '2', '--limit', '3')).toEqual([2, 3, 4]);
    expect(await revisions('--backward', '--from', '3', '--limit', '2')).toEqual([3, 2]);
    expect(await revisions('--from', '99')).toEqual([]);
  });

  it('leave personal data sealed', async () => {
    const folder = await scoredFolder(1);
    await namePlayer(folder, 'ann', 'Ann Unmistakable');
    const { out } = await annals(['log', 'show', 'player-ann', '--data', folder]);
    expect(out).toContain('player-named');
    expect(out).toContain('$personal');
    expect(out).not.toContain('Unmistakable');
  });

  it('tail gives the last events, of a category or type', async () => {
    const folder = await scoredFolder(30);
    await namePlayer(folder, 'ann', 'Ann');
    const lines = async (...flags: readonly string[]) => {
      const { out } = await annals(['log', 'tail', '--json', '--data', folder, ...flags]);
      return out.split('\n').filter((line) => line !== '');
    };
    expect(await lines()).toHaveLength(20);
    expect(await lines('--limit', '0')).toEqual([]);
    expect(await lines('--limit', '1000')).toHaveLength(31);
    expect(await lines('--category', 'player')).toHaveLength(1);
    expect(await lines('--type', 'score-recorded', '--limit', '5')).toHaveLength(5);
    expect(await lines('--category', 'nothing')).toEqual([]);
    const nothing = ['log', 'tail', '--category', 'nothing', '--data', folder];
    const none = { code: exitCodes.ok, out: '', err: 'no event is like that\n' };
    expect(await annals(nothing)).toEqual(none);
    expect(await annals([...nothing, '--json'])).toEqual({ ...none, err: '' });
    expect((await annals(['log', 'tail', '--limit', '0', '--data', folder])).err).toBe('');
  });

  it('tail --follow goes on with what another process appends, each event once, until it is stopped', async () => {
    const folder = await scoredFolder(10);
    const stop = new AbortController();
    let lines: string[] = [];
    const following = annals(
      ['log', 'tail', '--follow', '--limit', '3', '--json', '--data', folder],
      {
        signal: stop.signal,
        onOut: (text) => {
          lines = text.trimEnd().split('\n');
        },
      },
    );
    await expect.poll(() => lines.length, { timeout: 15_000 }).toBe(3);
    await appendScores(folder, 10, 17);
    await expect.poll(() => lines.length, { timeout: 15_000 }).toBe(10);
    stop.abort();
    expect((await following).code).toBe(exitCodes.interrupted);
    const positions = lines.map((line) => (JSON.parse(line) as { position: string }).position);
    expect(positions).toEqual([...new Set(positions)].sort());
  });
});

describe('log export and import', () => {
  it('carry a log into a new folder, whole, and say what is to be done there', async () => {
    const source = await scoredFolder(250);
    await namePlayer(source, 'ann', 'Ann');
    const target = join(await temporaryFolder(), 'new');
    for (const name of ['log.ndjson', 'log.ndjson.gz']) {
      const file = join(source, name);
      const exported = await annalsJson<object>(['log', 'export', file, '--data', source]);
      expect(exported).toMatchObject({ file, events: 251, hash: (await verified(source)).hash });
      await rm(target, { recursive: true, force: true });
      const { code, out, err } = await annals(['log', 'import', file, '--data', target]);
      expect(code).toBe(exitCodes.ok);
      expect(out).toMatch(/^251 events added, 0 were there already; log hash /);
      expect(err).toContain(`annals rebuild leaderboard --data ${target} && annals promote`);
      expect(err).toContain(dataLayout(target).keys);
      expect((await verified(target)).hash).toBe((await verified(source)).hash);
    }
    const plain = await readFile(join(source, 'log.ndjson'));
    expect(gunzipSync(await readFile(join(source, 'log.ndjson.gz'))).equals(plain)).toBe(true);
  });

  it('go on where they were stopped', async () => {
    const source = await scoredFolder(9_000);
    const folder = await temporaryFolder();
    const file = join(folder, 'log.gz');
    await annals(['log', 'export', file, '--data', source]);
    const target = ['--data', join(folder, 'new')];
    const stop = new AbortController();
    const lines = gunzipSync(await readFile(file)).toString();
    // The import is stopped as soon as something is stored.
    const stopped = annals(['log', 'import', '-', ...target], {
      stdin: lines,
      signal: stop.signal,
    });
    const events = async () => {
      const { out } = await annals(['log', 'head', '--json', ...target]);
      return out === '' ? 0 : (JSON.parse(out) as { events: number }).events;
    };
    await expect.poll(events, { timeout: 20_000, interval: 5 }).toBeGreaterThan(0);
    stop.abort();
    const first = await stopped;
    const added = await events();
    const again = await annals(['log', 'import', file, ...target]);
    expect(again.code).toBe(exitCodes.ok);
    if (first.code === exitCodes.interrupted) {
      expect(first.err).toMatch(/stopped at line [\d,]+: the same command goes on/);
      expect(again.out).toContain(`${(9_000 - added).toLocaleString('en-US')} events added`);
    }
    expect(await events()).toBe(9_000);
    expect((await verified(join(folder, 'new'))).hash).toBe((await verified(source)).hash);
  });

  it('--from continues an earlier export', async () => {
    const source = await scoredFolder(50);
    const folder = await temporaryFolder();
    const target = ['--data', join(folder, 'new')];
    const first = join(folder, 'first');
    const more = join(folder, 'more');
    const { checkpoint } = await annalsJson<{ checkpoint: string }>([
      ...['log', 'export', first, '--data', source],
    ]);
    await appendScores(source, 50, 63);
    const second = await annalsJson<object>([
      ...['log', 'export', more, '--from', checkpoint, '--data', source],
    ]);
    expect(second).toMatchObject({ events: 13 });
    const early = await annals(['log', 'import', more, ...target]);
    expect(early.code).toBe(exitCodes.refused);
    expect(early.err).toMatch(/goes on at revision \d+, and the log does not have it/);
    for (const file of [first, more]) {
      expect((await annals(['log', 'import', file, ...target])).code).toBe(exitCodes.ok);
    }
    expect((await verified(join(folder, 'new'))).hash).toBe((await verified(source)).hash);
  });

  it('ask before a file is written over, and leave no half file when they are stopped', async () => {
    const source = await scoredFolder(5);
    const file = join(source, 'log.ndjson');
    await writeFile(file, 'mine');
    const argv = ['log', 'export', file, '--data', source];
    const asked = await annals(argv);
    expect(asked.code).toBe(exitCodes.usage);
    expect(asked.err).toMatch(/is there\. Write over it\? Say --yes/);
    const stopped = await annals([...argv, '--yes'], { signal: AbortSignal.abort() });
    expect(stopped.code).toBe(exitCodes.interrupted);
    expect(await readFile(file, 'utf8')).toBe('mine');
    expect(await filesHolding(source, 'annals-log')).toEqual([]);
    expect((await annals([...argv, '--yes'])).code).toBe(exitCodes.ok);
    expect(await filesHolding(source, 'annals-log')).toEqual([file]);
  });

  it('write a standard output that is all an import needs', async () => {
    const source = await scoredFolder(40);
    const target = ['--data', join(await temporaryFolder(), 'new')];
    const exported = await annals(['log', 'export', '-', '--json', '--data', source]);
    expect(exported.err).toBe('');
    const imported = await annals(['log', 'import', '-', ...target], { stdin: exported.out });
    expect(imported.out).toMatch(/^40 events added/);
    const again = await annals(['log', 'import', '-', ...target], { stdin: exported.out });
    expect(again.out).toMatch(/^0 events added, 40 were there already/);
    expect(again.err).toBe('');
  });
});

describe('an event that was changed behind the log', () => {
  const change = `UPDATE events SET data = replace(data, '"points":4', '"points":9')
    WHERE position = (SELECT min(position) FROM events WHERE data LIKE '%"points":4%')`;
  const named = /changed: event \S+ \(scores-default~\d+@\d+\): its data is not what/;

  it('is not carried into an export, whatever it is written to', async () => {
    const folder = await scoredFolder(60);
    using db = new DatabaseSync(join(dataLayout(folder).log, logFileName));
    db.exec(change);
    const found = await annals(['log', 'verify', '--data', folder]);
    expect(found).toMatchObject({
      code: exitCodes.different,
      out: expect.stringMatching(named),
    });
    for (const target of [join(folder, 'log.ndjson'), join(folder, 'log.gz'), '-']) {
      const argv = ['log', 'export', target, '--data', folder];
      const { code, err } = await annals(argv);
      expect(code).toBe(exitCodes.different);
      expect(err).toMatch(named);
      expect(err).toMatch(/annals log verify finds all such events\n$/);
      const json = await annals([...argv, '--json']);
      expect(JSON.parse(json.err)).toMatchObject({ code: 'changed-event', exit_code: 4 });
    }
    expect(await filesHolding(folder, 'annals-log')).toEqual([]);
  });

  it('is not taken out of an export, though the line vouches for it', async () => {
    const source = await scoredFolder(60);
    const { out } = await annals(['log', 'export', '-', '--data', source]);
    const lines = out.split('\n');
    const place = lines.findIndex((line) => line.includes('\\"points\\":4'));
    const { check: _, ...event } = JSON.parse(lines[place] ?? '') as PortableEvent & {
      check: string;
    };
    const data = event.data.replace('"points":4', '"points":9');
    const times = {
      occurredAt: Date.parse(String(event.occurredAt)),
      recordedAt: Date.parse(String(event.recordedAt)),
    };
    const check = eventHash({ ...event, ...times, data }).slice(0, 16);
    lines[place] = JSON.stringify({ ...event, data, check });
    const folder = await temporaryFolder();
    const file = join(folder, 'changed.ndjson');
    await writeFile(file, lines.join('\n'));
    const argv = ['log', 'import', file, '--data', join(folder, 'new')];
    const { code, err } = await annals(argv);
    expect(code).toBe(exitCodes.different);
    expect(err).toMatch(named);
    expect(err).toContain(`line ${place + 1}: `);
    expect(await filesHolding(folder, '')).toEqual([file]);
  });
});

describe('log backup', () => {
  it('is a data folder of its own, without keys; these go elsewhere', async () => {
    const source = await scoredFolder(60);
    await namePlayer(source, 'ann', 'Ann');
    const folder = await temporaryFolder();
    const copy = join(folder, 'copy');
    const keys = join(folder, 'vault', 'keys');
    const argv = ['log', 'backup', copy, '--keys', keys, '--data', source];
    expect(await annalsJson<object>(argv)).toMatchObject({ events: 61, keys });
    expect(await verified(copy)).toMatchObject({
      sound: true,
      events: 61,
      personal_data_opened: false,
    });
    expect((await verified(copy)).hash).toBe((await verified(source)).hash);
    // Put together again, with the master key, the copy is a platform.
    await cp(keys, dataLayout(copy).keys, { recursive: true });
    await cp(dataLayout(source).masterKeyFile, dataLayout(copy).masterKeyFile);
    expect(await verified(copy)).toMatchObject({ sound: true, personal_data_opened: true });

    const again = await annals(argv);
    expect(again.code).toBe(exitCodes.refused);
    expect(again.err).toMatch(/is there already: nothing was written/);
  });

  it.each([
    ['in the folder of the log', 'copy', 'copy/keys'],
    ['around it', 'vault/copy', 'vault'],
    ['the same', 'copy', 'copy'],
  ])('refuses a folder for keys that is %s', async (_name, copy, keys) => {
    const source = await scoredFolder(1);
    const folder = await temporaryFolder();
    const argv = [
      'log',
      'backup',
      join(folder, copy),
      '--keys',
      join(folder, keys),
      '--data',
      source,
    ];
    const { code, err } = await annals(argv);
    expect(code).toBe(exitCodes.usage);
    expect(err).toMatch(/the keys go to a place of their own/);
    expect(await filesHolding(folder, '')).toEqual([]);
  });

  it.each([
    ['in the data folder', 'DATA/bk', undefined],
    ['deep in the data folder', 'DATA/log/by/hand', undefined],
    ['the data folder itself', 'DATA', undefined],
    ['in the data folder by a link', 'link/bk', undefined],
    ['elsewhere, with keys in the data folder', 'copy', 'DATA/kb'],
  ])('refuses a target that is %s', async (_name, target, keys) => {
    const source = await scoredFolder(1);
    const folder = await temporaryFolder();
    await symlink(source, join(folder, 'link'));
    const placed = (path: string) =>
      path.startsWith('DATA') ? path.replace('DATA', source) : join(folder, path);
    const before = [...(await filesBelow(source)).keys()].sort();
    const flags = keys === undefined ? [] : ['--keys', placed(keys)];
    const argv = ['log', 'backup', placed(target), ...flags, '--data', source];
    const { code, err } = await annals(argv);
    expect(code).toBe(exitCodes.usage);
    expect(err).toMatch(/is in the data folder .*: a backup goes to another place\n$/);
    expect([...(await filesBelow(source)).keys()].sort()).toEqual(before);
  });

  it('of keys alone is refused where they are there already', async () => {
    const source = await scoredFolder(1);
    const keys = await temporaryFolder();
    const copy = join(await temporaryFolder(), 'copy');
    await writeFile(join(keys, keyFileName), 'older keys');
    const { code } = await annals(['log', 'backup', copy, '--keys', keys, '--data', source]);
    expect(code).toBe(exitCodes.refused);
    expect(await filesHolding(copy, '').catch(() => [])).toEqual([]);
  });
});

describe('log verify', () => {
  it('opens personal data where the keys are there', async () => {
    const folder = await scoredFolder(10);
    expect(await verified(folder)).toMatchObject({ sound: true, personal_data_opened: false });
    await namePlayer(folder, 'ann', 'Ann');
    expect(await verified(folder)).toMatchObject({ sound: true, personal_data_opened: true });
    await rm(dataLayout(folder).keys, { recursive: true });
    const { err } = await annals(['log', 'verify', '--data', folder]);
    expect(err).toContain('personal data was left sealed');
  });

  it.each([
    [
      'a changed event',
      'UPDATE events SET data = replace(data, \'"points":\', \'"p":\') WHERE position = 3',
      /changed: event \S+ \(scores-\S+@\d+\)/,
    ],
    [
      'a missing event',
      'DELETE FROM events WHERE revision = 0 AND position = 1',
      /its revisions are 1 to/,
    ],
    [
      'an unknown type',
      "UPDATE kinds SET type = 'frobbed'",
      /unknown-type: event .* \(frobbed version 1/,
    ],
    ['a version of the future', 'UPDATE events SET schema_version = 9', /unknown-version/],
    [
      'data that is no JSON',
      "UPDATE events SET data = 'x' WHERE position = 5",
      /position 5: its data is not JSON/,
    ],
  ])('finds %s', async (_name, sql, problem) => {
    const folder = await scoredFolder(100);
    using db = new DatabaseSync(join(dataLayout(folder).log, logFileName));
    db.exec(sql);
    const { code, out } = await annals(['log', 'verify', '--json', '--data', folder]);
    expect(code).toBe(exitCodes.different);
    const { sound, problems } = JSON.parse(out) as Verified;
    expect(sound).toBe(false);
    expect(problems.join('\n')).toMatch(problem);
    expect(problems.length).toBeLessThanOrEqual(101);
  });

  it('finds what was changed after it was signed, though every hash in the file fits', async () => {
    const folder = await scoredFolder(100);
    const key = digestKeyOf('ab'.repeat(32));
    const log = await sqliteEventLog({ folder: dataLayout(folder).log });
    const keeper = new DigestKeeper({ log, clock: systemClock, key, everyEvents: 20 });
    await keeper.run(new AbortController().signal, { once: true });
    await log.close();
    const argv = ['log', 'verify', '--data', folder];
    const signed = await annals([...argv, '--digest-key', key.publicKey]);
    expect(signed).toMatchObject({
      code: exitCodes.ok,
      err: expect.stringContaining('5 digests have signed 100 events'),
    });
    expect((await annals(argv)).err).toContain(`not checked (--digest-key): ${key.publicKey}`);
    const other = await annals([...argv, '--digest-key', 'cd'.repeat(32)]);
    expect(other).toMatchObject({
      code: exitCodes.different,
      out: expect.stringContaining('not trusted'),
    });

    using db = new DatabaseSync(join(dataLayout(folder).log, logFileName));
    const where = 'WHERE position = 50';
    const row = db.prepare(`SELECT data FROM events ${where}`).get() as { data: string };
    const data = row.data.replace(/"points":\d/, '"points":900');
    const content = canonicalJson(['score-recorded', 1, JSON.parse(data)]);
    db.prepare(`UPDATE events SET data = ?, content_hash = ? ${where}`).run(
      data,
      Buffer.from(sha256(content), 'hex'),
    );
    const { code, out } = await annals([...argv, '--digest-key', key.publicKey]);
    expect(code).toBe(exitCodes.different);
    expect(out).toMatch(
      /^digest 3: events \d+ to \d+ of scores-default~\d+ are not what was signed: at least one was changed\n$/,
    );
  });

  it('compares with the hash of an export', async () => {
    const folder = await scoredFolder(10);
    const { hash } = await verified(folder);
    const same = await annals(['log', 'verify', '--hash', hash, '--data', folder]);
    expect(same.code).toBe(exitCodes.ok);
    await appendScores(folder, 10, 11);
    const other = await annals(['log', 'verify', '--hash', hash, '--data', folder]);
    expect(other).toMatchObject({ code: exitCodes.different, out: expect.stringContaining(hash) });
  });
});
