import { encodeCheckpoint } from '@annals/event-log';
import type { Command } from 'commander';
import { type CommandContext, knownProjection, shownLog } from '../context.ts';
import { withExamples } from '../examples.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { type LogHead, logHead } from '../log-head.ts';
import { count, duration, type Output, plural, time } from '../output.ts';
import { printable } from '../printable.ts';
import type { Act } from '../program.ts';
import {
  type ObservedGeneration,
  type ObservedProjection,
  observeAll,
  withReadModels,
  workersOf,
} from '../read-models.ts';
import { shownUntil } from '../until.ts';

export function addStatus(annals: Command, act: Act): void {
  withExamples(
    annals
      .command('status')
      .description(
        'how the log and every read model stand: generations, checkpoint, lag, rate, problems, ' +
          'parked events; read from the data folder, whether a service runs or not',
      )
      .argument('[name]', 'only this projection')
      .action(act(status)),
    ['annals status', 'everything'],
    ['annals status leaderboard --json', 'one projection, for a script'],
  );
}

async function status(context: CommandContext, name: string | undefined): Promise<ExitCode> {
  if (name !== undefined) knownProjection(context, name);
  return withReadModels(context, async (models) => {
    const all = await observeAll(context, models);
    const chosen = all.filter(({ projection }) => name === undefined || projection === name);
    const log = await logHead(models.main.log);
    const { output, site } = context;
    const where = shownLog(site.log);
    const document = {
      data_folder: site.dataFolder,
      ...(site.log.kind === 'sqlite' ? {} : { log_url: where }),
      log,
      projections: chosen.map(projectionDocument),
    };
    await output.result(document, () => shown(output, where, log, chosen));
    return exitCodes.ok;
  });
}

function projectionDocument({ projection, codeVersion, live, generations }: ObservedProjection) {
  return {
    projection,
    code_version: codeVersion,
    live: live === undefined ? null : `g${live}`,
    generations: generations.map(generationDocument),
  };
}

function generationDocument(one: ObservedGeneration) {
  const { verified, behind } = one;
  return {
    generation: `g${one.generation}`,
    live: one.isLive,
    state: stateWord(one),
    worked_on_by: workersOf(one) ?? null,
    version: one.version,
    workers: one.workers,
    until: one.until ? shownUntil(one.until) : null,
    created_at: time(one.createdAt),
    rebuilt_at: one.rebuiltAt === undefined ? null : time(one.rebuiltAt),
    halted: one.halted
      ? { reason: one.halted.reason, stream: one.halted.stream, revision: one.halted.revision }
      : null,
    verified: verified
      ? {
          at: time(verified.at),
          same: verified.same,
          problems: verified.problems,
          checkpoint: verified.checkpoint,
        }
      : null,
    checkpoint: one.checkpoint ? encodeCheckpoint(one.checkpoint) : null,
    lag_events: behind?.events ?? null,
    lag_events_or_more: behind?.orMore ?? false,
    lag_seconds: behind ? behind.ms / 1_000 : null,
    events_per_second: Math.round(one.eventsPerSecond),
    parked: one.parked ?? null,
    problem: one.problem ?? null,
  };
}

function shown(
  output: Output,
  where: string,
  log: LogHead,
  all: readonly ObservedProjection[],
): string {
  const { paint } = output;
  const written = log.last_recorded_at ? `, the last one of ${log.last_recorded_at}` : '';
  return [
    `${paint.bold('log')} in ${where}: ${plural(log.events, 'event')}${written}, head ${log.checkpoint || 'at the beginning'}`,
    ...all.map((one) => projectionLines(output, one)),
  ].join('\n');
}

function projectionLines(output: Output, one: ObservedProjection): string {
  const { paint } = output;
  const live = one.live === undefined ? 'no generation is live' : `g${one.live} is live`;
  const named = `\n${paint.bold(one.projection)} (version ${one.codeVersion}): ${live}`;
  if (one.generations.length === 0) {
    return `${named}\n  no generation yet: a running service makes the first one`;
  }
  const rows = one.generations.map((generation) => [
    generation.isLive ? paint.green(`g${generation.generation} live`) : `g${generation.generation}`,
    shownState(generation),
    generation.checkpoint ? encodeCheckpoint(generation.checkpoint) || 'beginning' : '-',
    shownLag(generation),
    `${count(Math.round(generation.eventsPerSecond))}/s`,
    generation.parked === undefined ? '-' : count(generation.parked),
    shownVerified(generation),
  ]);
  const head = ['generation', 'state', 'checkpoint', 'lag', 'rate', 'parked', 'verified'];
  const problems = one.generations.flatMap(({ generation, problem }) =>
    problem === undefined ? [] : [paint.red(`  g${generation}: ${printable(problem)}`)],
  );
  const parked = one.generations.filter((generation) => generation.parked);
  const hints = parked.map(({ generation }) => {
    return `  g${generation}: see annals dead-letters list ${one.projection} --generation g${generation}`;
  });
  return [named, output.table(head, rows), ...problems, ...hints].join('\n');
}

/** A generation that is to be followed is not, while no projector runs. */
function stateWord(one: ObservedGeneration): string {
  return one.kind === 'followed' && workersOf(one)?.length === 0 ? 'not-followed' : one.kind;
}

function shownState(one: ObservedGeneration): string {
  const { kind, until } = one;
  const workers = workersOf(one);
  if (kind !== 'followed' && kind !== 'building') {
    return until ? `${kind} at ${shownUntil(until)}` : kind;
  }
  const word = until ? `${kind} until ${shownUntil(until)}` : kind;
  if (workers === undefined) return word;
  if (workers.length > 0) return `${word} by ${printable(workers.join(', '))}`;
  return kind === 'followed' ? 'not followed now' : `${word}, by nobody now`;
}

function shownLag({ behind }: ObservedGeneration): string {
  if (!behind) return '-';
  if (behind.events === 0) return 'none';
  return `${count(behind.events)}${behind.orMore ? '+' : ''} events, ${duration(behind.ms / 1_000)}`;
}

function shownVerified({ verified }: ObservedGeneration): string {
  if (!verified) return '-';
  const { same, problems, against, at } = verified;
  if (!same || problems > 0) return `different, ${time(at)}`;
  const what =
    against === undefined
      ? 'in itself'
      : `with ${against === 'refold' ? 'the log' : `g${against}`}`;
  return `${what}, ${time(at)}`;
}
