import { setTimeout as delay } from 'node:timers/promises';
import { describeOn, engine } from '@annals/core/testing';
import { dataLayout, openLogAt } from '@annals/projector';
import { expect, onTestFinished, test } from 'vitest';
import { type Cluster, clusterOn, type Member } from './cluster.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { until } from './until.ts';

/** How long a machine may take that starts processes again and does much else. */
const restMsMax = 180_000;
const clients = 6;
const playersOfClient = 3;

/** What one client knows of its players: nobody else writes to them, so it knows their scores to the point. */
interface Told {
  readonly scores: Map<string, number>;
  readonly matches: string[];
  /** Answers that were awaited in vain and asked for again, with the same ids. */
  resends: number;
  /** Reads with the position of the write before, from the other process. */
  reads: number;
}

const random = (max: number) => Math.floor(Math.random() * max);

/** Sends it to one process and the other until one has acknowledged it; gives the position. */
async function acknowledged(
  { apis }: Cluster,
  body: { readonly user_id: string; readonly points: number; readonly match_id: string },
  told: Told,
): Promise<{ readonly by: Member; readonly position: string; readonly total: number | null }> {
  const deadline = Date.now() + 120_000;
  for (let attempt = random(2); Date.now() < deadline; attempt += 1) {
    const by = apis[attempt % 2] as Member;
    const answer = await by.call('POST /v1/scores', { body });
    if (answer?.status === 200 || answer?.status === 202) {
      return { by, position: answer.body.position, total: answer.body.total };
    }
    // A refusal would be a fault: the same ids with the same content are never refused.
    if (answer && answer.status < 500) throw new Error(JSON.stringify(answer.body));
    told.resends += 1;
    await delay(50);
  }
  throw new Error(`never acknowledged: ${JSON.stringify(body)}`);
}

interface Progress {
  acknowledged: number;
  reads: number;
}

async function load(
  cluster: Cluster,
  client: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<Told> {
  const told: Told = { scores: new Map(), matches: [], resends: 0, reads: 0 };
  for (let match = 0; !signal.aborted; match += 1) {
    const user_id = `player-${client}-${match % playersOfClient}`;
    const body = { user_id, points: 1 + random(9), match_id: `match-${client}-${match}` };
    const { by, position, total } = await acknowledged(cluster, body, told);
    told.matches.push(body.match_id);
    progress.acknowledged += 1;
    const score = (told.scores.get(user_id) ?? 0) + body.points;
    told.scores.set(user_id, score);
    if (total !== null) expect(total, `${user_id} as told by the write`).toBe(score);
    const other = cluster.apis.find((one) => one !== by) as Member;
    const read = await other.call(`GET /v1/scores/${user_id}?min-position=${position}`);
    // Whoever cannot answer in time says so; whoever answers, answers with what was written.
    if (read?.status === 200) {
      expect(read.body.user_info.score, `${user_id} as read at ${position}`).toBe(score);
      told.reads += 1;
      progress.reads += 1;
    } else if (read && read.status < 500) {
      throw new Error(JSON.stringify(read.body));
    }
  }
  return told;
}

/**
 * Kills any of the four and brings it back, until the time is over; tells how long the work on the board stood
 * still. Clients get on between two kills, however slow the machine is.
 */
async function kill(
  cluster: Cluster,
  progress: Progress,
  killSeconds: number,
): Promise<{ kills: number; takeoversMs: number[] }> {
  const takeoversMs: number[] = [];
  const watching: Promise<void>[] = [];
  const restarts: Promise<void>[] = [];
  const deadline = Date.now() + killSeconds * 1_000;
  let kills = 0;
  while (Date.now() < deadline || kills < 3) {
    const { acknowledged: scores, reads } = progress;
    await until(
      'scores and reads between two kills',
      () => (progress.acknowledged >= scores + 10 && progress.reads >= reads + 5) || undefined,
      restMsMax,
    );
    await delay(random(2_000));
    const running = cluster.members.filter((one) => one.running);
    const victim = running[random(running.length)];
    if (!victim) continue;
    const atWork = victim.role === 'projector' && (await victim.projects());
    const since = performance.now();
    await victim.kill('SIGKILL');
    kills += 1;
    if (atWork) watching.push(untilTaken(cluster, since).then((ms) => void takeoversMs.push(ms)));
    restarts.push(victim.start());
  }
  await Promise.all([...restarts, ...watching]);
  return { kills, takeoversMs };
}

async function untilTaken({ projectors }: Cluster, since: number): Promise<number> {
  await until(
    'a takeover',
    async () => {
      for (const one of projectors) if (await one.projects()) return true;
      return undefined;
    },
    restMsMax,
  );
  return Math.round(performance.now() - since);
}

/** The whole board as a process reads it. */
async function board(member: Member, minPosition: string): Promise<Map<string, number>> {
  const route = `GET /v1/scores?limit=100&min-position=${minPosition}`;
  const { body } = await until(
    `the board of ${member.name}`,
    async () => {
      const answer = await member.call(route);
      return answer?.status === 200 ? answer : undefined;
    },
    restMsMax,
  );
  const rows: { user_id: string; score: number; rank: number }[] = body.data;
  for (const row of rows) {
    const better = rows.filter(({ score }) => score > row.score).length;
    expect(row.rank, `rank of ${row.user_id}`).toBe(better + 1);
  }
  return new Map(rows.map(({ user_id, score }) => [user_id, score]));
}

/** The matches in the log, as often as they are there. */
async function matchesIn({ env }: Cluster, dataFolder: string): Promise<string[]> {
  const { log } = await openLogAt(env.ANNALS_LOG as string, { dataFolder });
  const matches: string[] = [];
  let page = await log.read('start', { types: ['score-recorded'] });
  for (;;) {
    matches.push(...page.events.map(({ data }) => JSON.parse(data).match_id as string));
    if (page.end) break;
    page = await log.read(page.checkpoint, { types: ['score-recorded'] });
  }
  await log.close();
  return matches;
}

/** Kills any of the four for so long while clients write and read, and compares what they were told with what is there. */
export async function describeTwoByTwo(killSeconds: number): Promise<void> {
  await describeOn('kafka', 'Two API processes and two projectors on Kafka and Redis', (kafka) => {
    test(
      'kill -9 of any of them loses nothing and doubles nothing',
      async (context) => {
        const redis = await engine('redis');
        if (redis.kind === 'missing') {
          if (process.env.ENGINES === 'required') throw new Error(redis.reason);
          context.skip(redis.reason);
          return;
        }
        const folder = await temporaryFolder();
        onTestFinished(() => folder.remove());
        const cluster = clusterOn(kafka, redis.engine, folder.path);
        onTestFinished(() => cluster.killAll());
        await cluster.startAll();

        const stop = new AbortController();
        const progress: Progress = { acknowledged: 0, reads: 0 };
        const loading = Promise.all(
          Array.from({ length: clients }, (_, client) =>
            load(cluster, client, progress, stop.signal),
          ),
        );
        // A client that found a fault ends the test at once.
        const killed = await Promise.race([
          kill(cluster, progress, killSeconds),
          loading.then(() => never()),
        ]);
        stop.abort();
        const told = await loading;
        const sum = (figure: (one: Told) => number) =>
          told.reduce((all, one) => all + figure(one), 0);
        const { kills, takeoversMs } = killed;
        await context.annotate(
          `${kills} kills, ${sum((one) => one.matches.length)} scores acknowledged after ` +
            `${sum((one) => one.resends)} resends, ${sum((one) => one.reads)} reads by position; ` +
            `takeovers in ms: ${takeoversMs.join(', ') || 'none'}`,
        );

        const naive = new Map(told.flatMap(({ scores }) => [...scores]));
        const last = await acknowledged(
          cluster,
          { user_id: 'last', points: 1, match_id: 'last' },
          { scores: new Map(), matches: [], resends: 0, reads: 0 },
        );
        naive.set('last', 1);
        for (const api of cluster.apis) expect(await board(api, last.position)).toEqual(naive);

        const acknowledgedMatches = ['last', ...told.flatMap(({ matches }) => matches)];
        const stored = await matchesIn(cluster, dataLayout(folder.path).scratch);
        expect(stored.toSorted()).toEqual(acknowledgedMatches.toSorted());

        for (const operation of ['rebuild', 'verify', 'promote']) {
          expect(await cluster.annals(operation, 'leaderboard')).toMatchObject({ code: 0 });
        }
        for (const api of cluster.apis) expect(await board(api, last.position)).toEqual(naive);
      },
      killSeconds * 1_000 + 4 * restMsMax,
    );
  });
}

function never(): never {
  throw new Error('the clients ended before they were told to');
}
