import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { idFromKey, newId, systemClock } from '@annals/core';
import { sqliteEventLog } from '@annals/event-log-sqlite';
import { deadLetterTable } from '@annals/projection';
import { dataLayout, embeddedSite, runSiteProjector } from '@annals/projector';
import { sqliteProjectionStore } from '@annals/store-sqlite';
import { keyFileName } from '@annals/subject-keys';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { annals, annalsJson } from './testing/cli.ts';
import {
  appendScores,
  filesBelow,
  namePlayer,
  scoredFolder,
  streamOf,
} from './testing/data-folder.ts';

// Files are synced, and the machine may be busy: slow is no failure here.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

interface Status {
  readonly log: { readonly checkpoint: string; readonly events: number };
  readonly projections: readonly {
    readonly projection: string;
    readonly live: string | null;
    readonly generations: readonly {
      readonly generation: string;
      readonly live: boolean;
      readonly state: string;
      readonly worked_on_by: readonly string[] | null;
      readonly until: string | null;
      readonly checkpoint: string | null;
      readonly lag_events: number | null;
      readonly events_per_second: number;
      readonly parked: number | null;
      readonly problem: string | null;
    }[];
  }[];
}

async function leaderboardIn(folder: string) {
  const status = await annalsJson<Status>(['status', '--data', folder]);
  const [leaderboard] = status.projections;
  if (leaderboard?.projection !== 'leaderboard') throw new Error('no leaderboard in the status');
  return leaderboard;
}

/** Runs a command that must end well on the leaderboard of a folder. */
async function done(folder: string, command: string, ...flags: readonly string[]) {
  const [name = '', ...more] = command.split(' ');
  const ran = await annals([name, ...more, 'leaderboard', ...flags, '--data', folder]);
  if (ran.code !== 0) throw new Error(`annals ${command} ended with ${ran.code}: ${ran.err}`);
  return ran;
}

function generationFile(folder: string, generation: number): string {
  return join(dataLayout(folder).projections, 'leaderboard', `g${generation}.sqlite`);
}

describe('rebuild, verify, promote', () => {
  it('in this order need no generation named, and rollback and drop take it back', async () => {
    const folder = await scoredFolder();
    expect((await leaderboardIn(folder)).live).toBeNull();
    expect((await done(folder, 'rebuild')).out).toMatch(/^leaderboard g1 rebuilt: 300 events in /);
    expect((await done(folder, 'verify')).out).toMatch(/^leaderboard g1 at .*consistent in itself/);
    const first = await done(folder, 'promote');
    expect(first.out).toBe('leaderboard g1 is live (none was before)\n');
    expect(first.err).toMatch(/consistent in itself, but compared with nothing/);

    await appendScores(folder, 300, 400);
    expect((await done(folder, 'rebuild', '--workers', '3')).out).toMatch(/g2 rebuilt: 400 events/);
    const verified = await done(folder, 'verify');
    expect(verified.out).toMatch(/leaderboard g2 at .*, compared with g1: the same in every row/);
    expect(verified.err).toContain('Next: annals promote leaderboard');
    const promoted = await done(folder, 'promote');
    expect(promoted.out).toBe('leaderboard g2 is live (before it was g1)\n');
    expect(promoted.err).toMatch(/^Back: annals rollback leaderboard/m);
    expect(await leaderboardIn(folder)).toMatchObject({
      live: 'g2',
      generations: [
        { generation: 'g1', live: false, state: 'not-followed', lag_events: 0, problem: null },
        { generation: 'g2', live: true, state: 'not-followed', lag_events: 0, problem: null },
      ],
    });

    expect((await done(folder, 'rollback')).out).toBe(
      'leaderboard g1 is live (before it was g2)\n',
    );
    expect((await done(folder, 'drop', '--generation', 'g2', '--yes')).out).toBe(
      'leaderboard g2 is dropped\n',
    );
    const gone = await annals(['promote', 'leaderboard', '--generation', 'g2', '--data', folder]);
    expect(gone.code).toBe(exitCodes.usage);
    expect(gone.err).toMatch(/g2 was dropped/);
    const after = await leaderboardIn(folder);
    expect(after.generations.map(({ generation }) => generation)).toEqual(['g1']);
    const live = await annals([
      'drop',
      'leaderboard',
      '--generation',
      '1',
      '--yes',
      '--data',
      folder,
    ]);
    expect(live).toMatchObject({ code: exitCodes.refused, out: '' });
    expect(live.err).toMatch(/g1 is live: promote another one/);
  });

  it('ask for a fresh second fold where there is nothing to compare with', async () => {
    const folder = await scoredFolder(100);
    await done(folder, 'rebuild');
    const { out } = await done(folder, 'verify', '--generation', 'g1', '--refold');
    expect(out).toMatch(/compared with a second fold of the log: the same in every row/);
  });

  it('find a row that was changed behind the log, show it, and end with another code', async () => {
    const folder = await scoredFolder(100);
    await done(folder, 'rebuild');
    await done(folder, 'promote');
    await done(folder, 'rebuild');
    using db = new DatabaseSync(generationFile(folder, 2));
    db.exec(`
      UPDATE scores SET matches = 77, score = score + 1000 WHERE user_id = 'user-7';
      DELETE FROM entries WHERE (stream, revision) IN (SELECT stream, revision FROM entries LIMIT 1);
    `);
    const argv = ['verify', 'leaderboard', '--data', folder];
    const { code, out } = await annals(argv);
    expect(code).toBe(exitCodes.different);
    expect(out).toMatch(/compared with g1: different/);
    expect(out).toMatch(/^~ scores "default", "2026-11", "user-7": matches is 77 here, 2 there$/m);
    expect(out).toMatch(/^- entries .*: missing here$/m);
    expect(out).toMatch(
      /^problem: scores .*: score \d{1,3} is held by (none|\d+), counted as \d+$/m,
    );
    expect(out).toMatch(/^problem: scores .*: score 1\d\d\d is held by 1, not counted$/m);
    const none = await annals([...argv, '--rows', '0']);
    expect(none.out).not.toMatch(/^problem: /m);
    expect(none.out).toMatch(/^2 more problems: --rows shows more$/m);
    const json = await annals([...argv, '--json', '--rows', '1']);
    expect(json.code).toBe(exitCodes.different);
    const told = JSON.parse(json.out) as Record<'differences' | 'problems', unknown[]>;
    expect(told).toMatchObject({ problems_found: 2 });
    expect(told.problems).toHaveLength(1);
    expect(told).toMatchObject({ result: 'different' });
    expect(told.differences).toHaveLength(1);
    const [, g2] = (await leaderboardIn(folder)).generations;
    expect(g2?.problem).toMatch(/its last verification found differences/);

    const promote = ['promote', 'leaderboard', '--data', folder];
    const refused = await annals(promote);
    expect(refused).toMatchObject({ code: exitCodes.refused, out: '' });
    expect(refused.err).toMatch(
      /g2 found differences from g1: .*Nothing was changed.*verify leaderboard --generation g2 --refold/,
    );
    expect((await leaderboardIn(folder)).live).toBe('g1');
    const forced = await annals([...promote, '--despite-differences']);
    expect(forced.out).toBe('leaderboard g2 is live (before it was g1)\n');
    expect(forced.err).toMatch(/It is live although its last verification found differences/);
  });

  it('are told by status to be needed where a store is lost', async () => {
    const folder = await scoredFolder(50);
    await done(folder, 'rebuild');
    await done(folder, 'promote');
    await rm(join(dataLayout(folder).projections, 'leaderboard'), { recursive: true });
    const [lost] = (await leaderboardIn(folder)).generations;
    expect(lost).toMatchObject({ state: 'lost', live: true, checkpoint: null });
    expect(lost?.problem).toMatch(/annals rebuild leaderboard, then annals promote leaderboard/);
    await done(folder, 'rebuild');
    const { out } = await done(folder, 'verify');
    expect(out).toMatch(
      /compared with a second fold of the log, as the store of the live one is lost: the same in every row/,
    );
    // The fold went to a folder there, and left nothing in it.
    expect(await readdir(dataLayout(folder).scratch)).toEqual([]);
    const { err } = await done(folder, 'promote');
    expect(err).toMatch(/^There is no way back to g1\. To remove it: annals drop leaderboard /m);
    expect(err).not.toContain('annals rollback');
    expect((await leaderboardIn(folder)).live).toBe('g2');
  });
});

describe('rebuild', () => {
  it('--dry-run counts events by type, estimates, and writes nothing', async () => {
    const folder = await scoredFolder();
    const argv = ['rebuild', 'leaderboard', '--dry-run', '--data', folder];
    const { out } = await annals(argv);
    expect(out).toMatch(/^leaderboard g1 would be filled: 300 events\n/);
    expect(out).toMatch(/score-recorded +│ 300/);
    const plan = await annalsJson<object>(argv);
    expect(plan).toMatchObject({
      generation: 'g1',
      resumes: false,
      events: 300,
      events_by_type: { 'score-recorded': 300 },
    });
    expect((await leaderboardIn(folder)).generations).toEqual([]);
  });

  it('--dry-run counts up to --until, and refuses what a rebuild refuses', async () => {
    const folder = await scoredFolder(200);
    const head = await annalsJson<{ checkpoint: string }>(['log', 'head', '--data', folder]);
    await appendScores(folder, 200, 260);
    const planOf = (...flags: readonly string[]) =>
      annals(['rebuild', 'leaderboard', '--dry-run', '--data', folder, ...flags]);
    const upTo = await planOf('--until', head.checkpoint);
    expect(upTo.out).toMatch(/^leaderboard g1 would be filled: 200 events, until 0:\d+\n/);
    expect(upTo.out).toMatch(/^too few events to tell how long/m);
    const nothing = await planOf('--until', '2020-01-01');
    expect(nothing.out).toMatch(/: 0 events, until 2020-01-01T00:00:00.000Z\n.*nothing to read/);
    const future = await planOf('--until', '2126-01-01');
    expect(future).toMatchObject({ code: exitCodes.usage, out: '' });
    expect(future.err).toMatch(/in the future/);
  });

  it('--dry-run writes a sample elsewhere and takes --throttle and --workers into account', async () => {
    const folder = await scoredFolder(3_000);
    const before = [...(await filesBelow(folder)).keys()].sort();
    const flags = ['--dry-run', '--throttle', '0.5', '--workers', '2', '--data', folder];
    const argv = ['rebuild', 'leaderboard', ...flags];
    const { out } = await annals(argv);
    expect(out).toMatch(
      /^about .* at [\d,]+ events\/s, as a sample was .* by 2 workers, working 0.5 of the time$/m,
    );
    const plan = await annalsJson<{ events_per_second: number; estimated_seconds: number }>(argv);
    expect(plan).toMatchObject({ events: 3_000, workers: 2, throttle: 0.5, stops_at: null });
    expect(plan.events_per_second * plan.estimated_seconds).toBeCloseTo(3_000, -2);
    const files = [...(await filesBelow(folder)).keys()].sort();
    const own = files.filter((path) => !before.includes(path));
    expect(own.filter((path) => path.includes('projections'))).toEqual([]);
  });

  it('--until makes a point in time, by position or by time, that is never live', async () => {
    const folder = await scoredFolder(200);
    const { checkpoint } = await annalsJson<{ checkpoint: string }>([
      'log',
      'head',
      '--data',
      folder,
    ]);
    await systemClock.sleep(5);
    const between = new Date().toISOString();
    await systemClock.sleep(5);
    await appendScores(folder, 200, 260);
    for (const until of [checkpoint, between]) {
      const rebuilt = await done(folder, 'rebuild', '--until', until);
      expect(rebuilt.out).toMatch(/: 200 events in /);
      expect(rebuilt.err).toContain(`It stands at ${until} and stays there`);
    }
    const { generations } = await leaderboardIn(folder);
    expect(generations.map(({ state, until }) => [state, until])).toEqual([
      ['frozen', checkpoint],
      ['frozen', between],
    ]);
    const { code, err } = await annals(['promote', 'leaderboard', '--data', folder]);
    expect(code).toBe(exitCodes.refused);
    expect(err).toMatch(/is a point in time/);
  });

  it('comes to rest when it is stopped, and the same command goes on', async () => {
    const folder = await scoredFolder(9_000);
    const stop = new AbortController();
    const argv = ['rebuild', 'leaderboard', '--throttle', '0.01', '--data', folder];
    const running = annals(argv, { signal: stop.signal });
    await expect
      .poll(async () => (await leaderboardIn(folder)).generations[0]?.checkpoint, {
        timeout: 20_000,
        interval: 50,
      })
      .toMatch(/^0:/);
    stop.abort();
    const stopped = await running;
    expect(stopped.code).toBe(exitCodes.interrupted);
    expect(stopped.err).toMatch(/stopped at 0:\d+ after [\d,]+ events; the same command goes on/);
    const [stoppedOne] = (await leaderboardIn(folder)).generations;
    expect(stoppedOne).toMatchObject({ state: 'building', worked_on_by: [] });
    const plan = await done(folder, 'rebuild', '--dry-run');
    const [, left = ''] = /g1 would be gone on with: ([\d,]+) events left\n/.exec(plan.out) ?? [];
    const again = await done(folder, 'rebuild');
    const [, events = ''] =
      /finished an interrupted rebuild: ([\d,]+) events/.exec(again.out) ?? [];
    expect(events).toBe(left);
    expect(Number(events.replace(',', ''))).toBeLessThan(9_000);
    const { out } = await done(folder, 'verify', '--refold');
    expect(out).toMatch(/the same in every row/);
  });
});

describe('dead letters', () => {
  /** A folder whose live generation has parked the first event of a stream and the one behind it. */
  async function parkedFolder() {
    const folder = await scoredFolder(200);
    await done(folder, 'rebuild');
    await done(folder, 'promote');
    const stream = streamOf(0);
    const store = sqliteProjectionStore({
      folder: dataLayout(folder).projections,
      projection: 'leaderboard',
      clock: systemClock,
    });
    const opened = await store.open(1);
    if (opened === 'lost') throw new Error('the generation was just made');
    const lease = await opened.acquire(0, 'test', systemClock.now(), 10_000);
    if (lease.kind !== 'acquired') throw new Error('nobody else works here');
    const log = await sqliteEventLog({ folder: dataLayout(folder).log, readOnly: true });
    const { events } = await log.readStream(stream, { limit: 2 });
    await log.close();
    const changes = events.map((event, index) => ({
      table: deadLetterTable.name,
      key: [event.stream, event.revision],
      row: {
        stream: event.stream,
        revision: event.revision,
        event_id: event.id,
        type: event.type,
        partition: event.partition,
        position: event.position,
        error_code: index === 0 ? 'handler-failed' : 'behind',
        error: index === 0 ? 'a \u001b[31mred\u001b[0m stumble' : null,
        attempts: index === 0 ? 1 : 0,
        parked_at: event.recordedAt,
      },
    }));
    const { checkpoint: from, epoch, tail, batches: after } = lease;
    const batch = { worker: 0, epoch, from, to: from, after, tail, changes };
    const committed = await opened.commit(batch);
    expect(committed.kind).toBe('applied');
    await opened.release(0, epoch);
    await store.close();
    return { folder, stream, revision: events[0]?.revision as number };
  }

  it('are listed, shown, counted by status, and retried in order', async () => {
    const { folder, stream, revision } = await parkedFolder();
    expect((await leaderboardIn(folder)).generations[0]?.parked).toBe(2);
    const { out } = await done(folder, 'dead-letters list');
    expect(out).toContain(`${stream}@${revision}`);
    expect(out).toContain('handler-failed: a \\u001b[31mred\\u001b[0m stumble');
    expect(out).toContain('waits behind the one before');
    const shown = await annals(['dead-letters', 'show', 'leaderboard', stream, '--data', folder]);
    expect(shown.out).toMatch(/the event that failed, .*:\n\{"board":"default"/);
    const { remaining, done: isDone } = await annalsJson<{ remaining: unknown[]; done: boolean }>([
      ...['dead-letters', 'retry', 'leaderboard', stream, '--data', folder],
    ]);
    expect({ remaining, isDone }).toEqual({ remaining: [], isDone: true });
    expect((await done(folder, 'dead-letters list')).out).toMatch(/nothing is parked/);
  });

  it('are discarded one by one, after a question', async () => {
    const { folder, stream, revision } = await parkedFolder();
    const argv = ['dead-letters', 'discard', 'leaderboard', stream, '--data', folder];
    const asked = await annals(argv);
    expect(asked).toMatchObject({ code: exitCodes.usage, out: '' });
    expect(asked.err).toContain(`Give up ${stream}@${revision} (score-recorded)`);
    expect((await annals([...argv, '--yes'])).code).toBe(exitCodes.ok);
    const { letters } = await annalsJson<{ letters: { revision: number }[] }>([
      ...['dead-letters', 'list', 'leaderboard', '--data', folder],
    ]);
    expect(letters.map((letter) => letter.revision)).not.toContain(revision);
  });

  it('of a stream that has none are refused', async () => {
    const { folder } = await parkedFolder();
    for (const command of ['show', 'retry', 'discard']) {
      const argv = ['dead-letters', command, 'leaderboard', 'scores-no~1', '--data', folder];
      const { code, err } = await annals([...argv, '--yes']);
      expect(code).toBe(exitCodes.usage);
      expect(err).toMatch(/nothing of the stream scores-no~1 is parked/);
    }
  });
});

describe('status', () => {
  /** A projector as a service runs it, on this folder, until the test is over. */
  async function following(folder: string) {
    const stop = new AbortController();
    const projector = await runSiteProjector({
      site: embeddedSite(folder),
      holder: `test/17/${newId()}#2`,
      signal: stop.signal,
      onTrouble: () => undefined,
    });
    const end = async () => {
      stop.abort();
      await projector.done;
    };
    onTestFinished(end);
    return end;
  }

  it('measures the rate of a projector that follows the log', async () => {
    const folder = await scoredFolder(10);
    await following(folder);
    let scores = 10;
    let stopped = false;
    const appending = (async () => {
      while (!stopped) {
        await appendScores(folder, scores, scores + 5);
        scores += 5;
      }
    })();
    try {
      const rate = async () => {
        const [live] = (await leaderboardIn(folder)).generations;
        return live?.events_per_second ?? 0;
      };
      await expect.poll(rate, { timeout: 25_000 }).toBeGreaterThan(0);
    } finally {
      stopped = true;
      await appending;
    }
    const lag = async () => (await leaderboardIn(folder)).generations[0]?.lag_events;
    await expect.poll(lag, { timeout: 25_000 }).toBe(0);
  });

  it('says who follows a read model, while somebody does', async () => {
    const folder = await scoredFolder(10);
    await done(folder, 'rebuild');
    await done(folder, 'promote');
    const live = async () => (await leaderboardIn(folder)).generations[0];
    const shown = async () => (await annals(['status', '--data', folder])).out;
    expect(await live()).toMatchObject({ state: 'not-followed', worked_on_by: [] });
    expect(await shown()).toMatch(/│ g1 live +│ not followed now +│/);
    const stop = await following(folder);
    await expect.poll(live, { timeout: 25_000 }).toMatchObject({
      state: 'followed',
      worked_on_by: ['test/17'],
    });
    expect(await shown()).toMatch(/│ g1 live +│ followed by test\/17 +│/);
    await stop();
    expect(await live()).toMatchObject({ state: 'not-followed', worked_on_by: [] });
  });

  it('says how far a read model is behind, and that nothing moves it', async () => {
    const folder = await scoredFolder(100);
    await done(folder, 'rebuild');
    await appendScores(folder, 100, 130);
    const [behind] = (await leaderboardIn(folder)).generations;
    expect(behind).toMatchObject({ state: 'not-followed', lag_events: 30, events_per_second: 0 });
    expect(behind?.problem).toBe('it does not move: no projector runs');
    const { out } = await annals(['status', 'leaderboard', '--data', folder]);
    expect(out).toMatch(/│ not followed now +│ 0:\d+ +│ 30 events, /);
  });

  it('names the event that halts a read model', async () => {
    const folder = await scoredFolder(20);
    await done(folder, 'rebuild');
    const log = await sqliteEventLog({ folder: dataLayout(folder).log });
    const unknown = {
      id: idFromKey('test', 'unknown'),
      type: 'player-levitated',
      schemaVersion: 1,
      data: '{}',
      contentHash: '0'.repeat(64),
      occurredAt: 0,
    };
    await log.append('player-ann', [unknown], { expected: 'any' });
    await log.close();
    await following(folder);
    const [halted] = (await leaderboardIn(folder)).generations;
    expect(halted?.problem).toMatch(
      /^it is halted: unknown-type: event .* \(player-levitated version 1, player-ann@0\)/,
    );
    const rebuilt = await annals(['rebuild', 'leaderboard', '--json', '--data', folder]);
    expect(rebuilt.code).toBe(exitCodes.failed);
    expect(JSON.parse(rebuilt.err)).toMatchObject({
      code: 'halted',
      error: expect.stringMatching(/the rebuild of leaderboard g2 stops at player-ann@0 /),
    });
  });

  it('tells where a rebuild stopped that misses a key, until it has gone on', async () => {
    const folder = await scoredFolder(20);
    await namePlayer(folder, 'ann', 'Ann Unmistakable');
    const keys = join(dataLayout(folder).keys, keyFileName);
    await rename(keys, `${keys}.away`);
    const argv = ['rebuild', 'leaderboard', '--data', folder];
    const stopped = await annals(argv);
    expect(stopped.code).toBe(exitCodes.unavailable);
    expect(stopped.err).toMatch(/stops at player-ann@0 .*missing-key.*restore the key store/);
    const [halted] = (await leaderboardIn(folder)).generations;
    expect(halted).toMatchObject({
      state: 'building',
      halted: { reason: 'missing-key', stream: 'player-ann', revision: 0 },
    });
    expect(halted?.problem).toMatch(
      /^its rebuild stopped at player-ann@0 \(player-named, \S+\): the key of its subject is not in the key store: .*, then annals rebuild leaderboard$/,
    );
    await rename(`${keys}.away`, keys);
    expect((await annals(argv)).out).toMatch(/g1 finished an interrupted rebuild/);
    const [gone] = (await leaderboardIn(folder)).generations;
    expect(gone).toMatchObject({ halted: null, problem: null });
  });

  it('of a log without read models says who makes the first', async () => {
    const folder = await scoredFolder(1);
    const { out } = await annals(['status', '--data', folder]);
    expect(out).toMatch(/no generation yet: a running service makes the first one/);
  });
});
