import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { annals, runAnnals } from './annals.ts';
import { makeBoard, pagePath, takePicture, untilVisible } from './board.ts';
import { problemIn } from './client.ts';
import { DemoError, exitCodes } from './exit-codes.ts';
import { limits } from './limits.ts';
import { type OutageWrites, writeOn } from './outage.ts';
import { type Difference, differences, fingerprint, type Picture } from './picture.ts';
import { type Board, playScores } from './play.ts';
import type { Score } from './season.ts';
import type { Service } from './service.ts';
import { count, type Stage, seconds } from './stage.ts';

const projection = 'leaderboard';

export interface DrillStage {
  readonly service: Service & { readonly dataFolder: string };
  readonly stage: Stage;
  readonly board: Board;
  readonly run: string;
  /** Scores that were played: some are sent again while the read model is gone. */
  readonly scores: readonly Score[];
  readonly signal: AbortSignal;
}

/** What the disaster drill found. */
export interface Drill {
  /** From the loss of the files to the first read that was refused. */
  readonly reads_refused_after_ms: number;
  readonly repair: string;
  readonly commands: readonly { readonly command: string; readonly ms: number }[];
  /** From the loss of the files to the first answer of the rebuilt read model. */
  readonly outage_ms: number;
  readonly writes_accepted: number;
  readonly writes_refused: readonly string[];
  /** Scores sent again during the outage, and how many of them counted a second time. */
  readonly resent: number;
  readonly resent_counted: number;
  /** Of the writes during the outage: what the board of them holds in the end. */
  readonly writes_on_board: number;
  readonly rows: number;
  readonly fingerprint_before: string;
  readonly fingerprint_after: string;
  readonly differing_rows: number;
  readonly differences: readonly Difference[];
  readonly ok: boolean;
}

/**
 * Kills the read model of a running service and brings it back as an operator would: reads are refused
 * with the command that repairs it, writes go on, and in the end not one rank differs.
 */
export async function drill(on: DrillStage): Promise<Drill> {
  const { service, stage, board, run } = on;
  const { client, dataFolder } = service;
  const outageBoard = `${run}-outage`;
  await makeBoard(client, outageBoard);
  await checkFolder(on, `board-${outageBoard}`);
  const before = await takePicture(client, board);
  stage.say(
    `a picture of all ${count(before.rows.length)} rows: ${shortened(fingerprint(before))}`,
  );

  await killReadModel(dataFolder);
  const lostAt = performance.now();
  stage.say(`deleted ${join(dataFolder, 'projections', projection)}/*`);
  const userIds = [...new Set(on.scores.slice(0, 100).map(({ user_id }) => user_id))];
  const writing = writeOn(client, { leaderboard: outageBoard, userIds, run });
  let writes: OutageWrites;
  let commands: Drill['commands'];
  let refusal: Refusal;
  let again: Awaited<ReturnType<typeof playScores>>;
  let outageMs: number;
  const resent = on.scores.slice(0, 50);
  try {
    refusal = await firstRefusal(on, lostAt);
    again = await playScores(client, board, resent, () => undefined);
    commands = await repair(on);
    await readable(on);
    outageMs = performance.now() - lostAt;
  } finally {
    writes = await writing.stop();
  }
  await untilVisible(client, board, [...writes.positions, ...again.unseen]);
  const after = await takePicture(client, board);
  const outagePicture = await takePicture(client, { ...board, leaderboard: outageBoard });
  return judged({ before, after, outagePicture, writes, refusal, again, commands, outageMs });
}

interface Refusal {
  readonly afterMs: number;
  readonly command: string;
}

function judged(found: {
  before: Picture;
  after: Picture;
  outagePicture: Picture;
  writes: OutageWrites;
  refusal: Refusal;
  again: { readonly recorded: number; readonly duplicates: number };
  commands: Drill['commands'];
  outageMs: number;
}): Drill {
  const { before, after, writes, refusal, again } = found;
  const differing = differences(before, after);
  const onBoard = found.outagePicture.rows.reduce((sum, { score }) => sum + score, 0);
  return {
    reads_refused_after_ms: Math.round(refusal.afterMs),
    repair: refusal.command,
    commands: found.commands,
    outage_ms: Math.round(found.outageMs),
    writes_accepted: writes.accepted,
    writes_refused: writes.refused,
    resent: again.recorded + again.duplicates,
    resent_counted: again.recorded,
    writes_on_board: onBoard,
    rows: after.rows.length,
    fingerprint_before: fingerprint(before),
    fingerprint_after: fingerprint(after),
    differing_rows: differing.length,
    differences: differing.slice(0, limits.differencesShownMax),
    ok:
      differing.length === 0 &&
      writes.refused.length === 0 &&
      writes.accepted > 0 &&
      again.recorded === 0 &&
      onBoard === writes.accepted,
  };
}

/** Nothing is deleted in a folder that is not this service's: its log must hold the board just made. */
async function checkFolder({ service, signal }: DrillStage, made: string): Promise<void> {
  const { dataFolder, url } = service;
  const { code, results } = await runAnnals(['log', 'show', made, '--json'], dataFolder, signal);
  if (code === 0 && results.includes(made)) return;
  const message = `${dataFolder} is not the data folder of the service at ${url}: nothing was deleted`;
  throw new DemoError(exitCodes.unavailable, 'other-data-folder', message);
}

async function killReadModel(dataFolder: string): Promise<void> {
  const folder = join(dataFolder, 'projections', projection);
  for (const name of await readdir(folder)) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** Reads until one is refused because the read model is lost. */
async function firstRefusal(on: DrillStage, lostAt: number): Promise<Refusal> {
  const { service, stage, board } = on;
  const deadline = lostAt + limits.lossSeenMsMax;
  while (performance.now() < deadline) {
    const { status, body } = await service.client.send({ path: pagePath(board, {}) });
    const { code, detail, command } = problemIn(body);
    if (status === 503 && code === 'read-model-lost' && command) {
      const afterMs = performance.now() - lostAt;
      stage.verdict(true, `reads are answered 503 after ${seconds(afterMs)}:`);
      stage.quote(detail);
      return { afterMs, command };
    }
    await delay(10, undefined, { signal: on.signal });
  }
  const message = `reads were not answered 503 within ${limits.lossSeenMsMax} ms of the loss`;
  throw new DemoError(exitCodes.failed, 'loss-not-seen', message);
}

async function repair({ service, stage, signal }: DrillStage): Promise<Drill['commands']> {
  const commands: { command: string; ms: number }[] = [];
  for (const verb of ['rebuild', 'verify', 'promote']) {
    const command = `npx annals ${verb} ${projection}`;
    stage.command(command);
    const { output, ms } = await annals([verb, projection], service.dataFolder, signal);
    stage.quote(output);
    commands.push({ command, ms: Math.round(ms) });
  }
  return commands;
}

/** Waits for the first read that is answered. */
async function readable({ service, board, signal }: DrillStage): Promise<void> {
  const deadline = performance.now() + limits.readableMsMax;
  for (;;) {
    const { status, body } = await service.client.send({ path: pagePath(board, {}) });
    if (status === 200) return;
    if (performance.now() > deadline) {
      const message = `reads did not come back after the promote: ${problemIn(body).detail}`;
      throw new DemoError(exitCodes.failed, 'not-readable', message);
    }
    await delay(25, undefined, { signal });
  }
}

function shortened(hash: string): string {
  return `sha256 ${hash.slice(0, 16)}…`;
}
