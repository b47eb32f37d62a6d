import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type PlatformProcess, startProcess } from './testing/platform-process.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let data: Awaited<ReturnType<typeof temporaryFolder>>;
let running: PlatformProcess[] = [];

beforeEach(async () => {
  data = await temporaryFolder();
});
afterEach(async () => {
  await Promise.all(running.map((one) => one.kill('SIGKILL')));
  running = [];
  await data.remove();
});

async function start(): Promise<PlatformProcess> {
  const one = await startProcess(data.path);
  running.push(one);
  return one;
}

/** Whether this process's own projector keeps the board up to date. */
async function projects(one: PlatformProcess): Promise<boolean> {
  const { body } = await one.call('GET /metrics');
  return /^annals_projection_up\{.*projection="leaderboard".*\} 1$/m.test(body);
}

const score = (user_id: string, match: number) => ({ user_id, points: 1, match_id: `m${match}` });

describe('two API processes on one data folder', () => {
  it('with min-position, a read of either never gives an older value than was written by the other', async () => {
    const [a, b] = [await start(), await start()];
    for (let match = 1; match <= 60; match += 1) {
      const [writer, reader] = match % 2 === 0 ? [a, b] : [b, a];
      const written = await writer.call('POST /v1/scores', { body: score('ann', match) });
      expect(written).toMatchObject({ status: 200, body: { total: match } });
      const { position } = written.body;
      const inQuery = await reader.call(`GET /v1/scores/ann?min-position=${position}`);
      const inHeader = await reader.call('GET /v1/scores', {
        headers: { 'min-position': position },
      });
      expect(inQuery.body.user_info.score).toBe(match);
      expect(inHeader.body.data[0].score).toBe(match);
    }
  });

  it('one makes a board, a key and names: the other knows them', async () => {
    const [a, b] = [await start(), await start()];
    await a.call('PUT /v1/leaderboards/arena', { body: { operator: 'best' } });
    const body = { ...score('ann', 1), leaderboard: 'arena' };
    expect((await b.call('POST /v1/scores', { body })).status).toBe(200);
    const named = await b.call('PUT /v1/players/ann', { body: { name: 'Ann' } });
    const read = await a.call(
      `GET /v1/scores/ann?leaderboard=arena&min-position=${named.body.position}`,
    );
    expect(read.body.user_info.user_name).toBe('Ann');
    expect((await a.call('DELETE /v1/players/ann')).status).toBe(204);
    const gone = await b.call('GET /v1/scores/ann?leaderboard=arena');
    expect(gone.body.user_info.user_name).toBeNull();
  });

  it('one of them keeps the board; when it is killed, the other takes over', async () => {
    const [a, b] = [await start(), await start()];
    await until(
      'one that projects',
      async () => (await projects(a)) || (await projects(b)) || undefined,
    );
    const owner = (await projects(a)) ? a : b;
    const other = owner === a ? b : a;
    expect(await projects(other)).toBe(false);
    const before = await other.call('POST /v1/scores', { body: score('ann', 1) });
    expect(before.body.total).toBe(1);

    await owner.kill('SIGKILL');
    const after = await other.call('POST /v1/scores', { body: score('ann', 2) });
    expect([200, 202]).toContain(after.status);
    await until('the takeover', async () => (await projects(other)) || undefined);
    const { position } = after.body;
    const read = await until('the score', async () => {
      const answer = await other.call(`GET /v1/scores/ann?min-position=${position}`);
      return answer.status === 200 ? answer : undefined;
    });
    expect(read.body.user_info.score).toBe(2);
  });
});

describe('kill -9 of a platform under load', () => {
  it('all that was acknowledged is there after the restart, and nothing is double', async () => {
    const acknowledged = new Set<string>();
    const sent: { user_id: string; match_id: string }[] = [];
    let match = 0;
    for (let round = 0; round < 3; round += 1) {
      const one = await start();
      let killed = false;
      const clients = Array.from({ length: 16 }, async (_, client) => {
        while (!killed) {
          match += 1;
          const body = score(`p${client % 5}`, match);
          sent.push(body);
          const answer = await one.call('POST /v1/scores', { body }).catch(() => undefined);
          if (!answer) return;
          if (answer.status === 200 || answer.status === 202) acknowledged.add(body.match_id);
        }
      });
      const before = acknowledged.size;
      await until('some load', () => acknowledged.size > before + 100 || undefined);
      await one.kill('SIGKILL');
      killed = true;
      await Promise.all(clients);
    }

    const last = await start();
    const stored = await storedMatches(last);
    for (const match_id of acknowledged) expect(stored.get(match_id), match_id).toBe(1);
    expect([...stored.values()].every((times) => times === 1)).toBe(true);

    // What was not acknowledged is sent again, with all the rest: each counts once.
    for (let from = 0; from < sent.length; from += 1_000) {
      const scores = sent.slice(from, from + 1_000);
      const { body } = await last.call('POST /v1/scores/batch', { body: { scores } });
      for (const { match_id, result } of body.data) {
        if (acknowledged.has(match_id)) expect(result).toBe('duplicate');
      }
    }
    const { body } = await last.call('GET /v1/scores');
    const total = body.data.reduce((sum: number, row: { score: number }) => sum + row.score, 0);
    // One more: the score that `storedMatches` waits for.
    expect(total).toBe(sent.length + 1);
  });

  async function storedMatches(one: PlatformProcess): Promise<Map<string, number>> {
    const times = new Map<string, number>();
    const last = await one.call('POST /v1/scores', { body: score('last', 0) });
    const { body: board } = await until('a board with all that is stored', async () => {
      const answer = await one.call(`GET /v1/scores?min-position=${last.body.position}`);
      return answer.status === 200 ? answer : undefined;
    });
    for (const { user_id } of board.data) {
      let cursor = '';
      do {
        const { body } = await one.call(
          `GET /v1/scores/${user_id}/history?limit=100${cursor && `&cursor=${cursor}`}`,
        );
        for (const { match_id } of body.data) times.set(match_id, (times.get(match_id) ?? 0) + 1);
        cursor = body.next_cursor ?? '';
      } while (cursor !== '');
    }
    return times;
  }
});
