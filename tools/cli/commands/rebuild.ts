import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeCheckpoint } from '@annals/event-log';
import {
  type Halt,
  planRebuild,
  type RebuildOutcome,
  type RebuildPlan,
  type RebuildRequest,
  rebuild,
  type Until,
} from '@annals/projection';
import { sqliteProjectionStore } from '@annals/store-sqlite';
import { type Command, InvalidArgumentError } from 'commander';
import { type CommandContext, knownProjection, withSite } from '../context.ts';
import { withExamples } from '../examples.ts';
import { CommandError, type ExitCode, exitCodes, interrupted } from '../exit-codes.ts';
import { operationOn, refusal } from '../operations.ts';
import { wholeNumber } from '../option-values.ts';
import { count, duration, plural } from '../output.ts';
import type { Act } from '../program.ts';
import { progress } from '../progress.ts';
import { shownUntil, untilText } from '../until.ts';

/** The part of the time a throttled rebuild works, unless told. */
const throttledShare = 0.2;

export function addRebuild(annals: Command, act: Act): void {
  withExamples(
    annals
      .command('rebuild')
      .description(
        'fills a new generation of a read model from the log, beside the live one; goes on with ' +
          'a rebuild that was stopped',
      )
      .argument('<name>', 'the projection, as annals status lists it')
      .option('--workers <number>', 'shares the work is split in', wholeNumber(1, 64))
      .option(
        '--throttle [share]',
        `leave the machine to the service: work this part of the time (${throttledShare} unless told)`,
        shareOfTime,
      )
      .option('--until <time|position>', 'as it was then: a point in time, never live', untilText)
      .option(
        '--dry-run',
        'only say what it would read, and about how long it would take, from a sample written elsewhere',
      )
      .action(act(rebuildNamed)),
    ['annals rebuild leaderboard', 'then: annals verify leaderboard, annals promote leaderboard'],
    ['annals rebuild leaderboard --throttle', 'beside live traffic'],
    ['annals rebuild leaderboard --until 2026-01-31T12:00:00Z', 'how it stood at that time'],
    ['annals rebuild leaderboard --dry-run', 'events by type, and an estimate'],
  );
}

function shareOfTime(text: string): number {
  const share = /^\d(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (share > 0 && share <= 1) return share;
  throw new InvalidArgumentError('It is a share of the time, above 0 and at most 1, as in 0.5.');
}

interface RebuildFlags {
  readonly workers?: number;
  readonly throttle?: number | true;
  readonly until?: Until;
  readonly dryRun?: boolean;
}

async function rebuildNamed(
  context: CommandContext,
  name: string,
  flags: RebuildFlags,
): Promise<ExitCode> {
  const projection = knownProjection(context, name);
  return withSite(context, async (site) => {
    const request = {
      ...operationOn(context, site, projection),
      workers: flags.workers,
      until: flags.until,
      throttle: throttleOf(flags),
    };
    if (flags.dryRun) return withScratchFolder((folder) => planned(context, request, folder));
    const startedAt = context.io.clock.now();
    const shown = progress(context.io, `rebuilding ${name}`, {
      unit: 'events',
      quiet: context.json,
    });
    const outcome = await rebuild({
      ...request,
      onProgress: ({ events, total }) => shown.update(events, total),
    }).finally(() => shown.stop());
    const seconds = (context.io.clock.now() - startedAt) / 1_000;
    return told(context, name, flags, outcome, seconds);
  });
}

function throttleOf({ throttle }: RebuildFlags): RebuildRequest['throttle'] {
  if (throttle === undefined) return undefined;
  return { share: throttle === true ? throttledShare : throttle };
}

/** A folder of our own, only while it is needed: a sample may hold personal data. */
async function withScratchFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'annals-dry-run-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function planned(
  context: CommandContext,
  request: RebuildRequest,
  folder: string,
): Promise<ExitCode> {
  const { output } = context;
  const { projection, clock, until, throttle } = request;
  const scratch = sqliteProjectionStore({ folder, projection: projection.name, clock });
  const plan = await planRebuild({ ...request, scratch }).finally(() => scratch.close());
  if (plan.kind === 'refused') throw refusal(plan);
  if (request.signal?.aborted) throw interrupted('stopped: nothing was written');
  const { eventsPerSecond, estimateMs, halt } = plan;
  const document = {
    projection: plan.projection,
    version: plan.version,
    generation: `g${plan.generation}`,
    resumes: plan.resumes,
    until: until ? shownUntil(until) : null,
    workers: plan.workers,
    throttle: throttle?.share ?? null,
    events: plan.events,
    events_by_type: plan.eventsByType,
    events_per_second: eventsPerSecond === undefined ? null : Math.round(eventsPerSecond),
    estimated_seconds: estimateMs === undefined ? null : estimateMs / 1_000,
    stops_at: halt ? haltText(halt) : null,
  };
  await output.result(document, () => {
    const types = [...plan.eventsByType].sort(([, a], [, b]) => b - a);
    const rows = types.map(([type, events]) => [type, count(events)]);
    const what = plan.resumes ? 'would be gone on with' : 'would be filled';
    const left = plan.resumes ? ' left' : '';
    const end = until ? `, until ${shownUntil(until)}` : '';
    return [
      `${plan.projection} g${plan.generation} ${what}: ${plural(plan.events, 'event')}${left}${end}`,
      ...(types.length === 0 ? [] : [output.table(['type', 'events'], rows)]),
      estimate(plan, throttle),
    ].join('\n');
  });
  return exitCodes.ok;
}

function estimate(
  { events, eventsPerSecond, estimateMs, halt, workers }: RebuildPlan,
  throttle: RebuildRequest['throttle'],
): string {
  if (events === 0) return 'there is nothing to read';
  if (halt) return `it would stop at ${haltText(halt)}`;
  if (eventsPerSecond === undefined || estimateMs === undefined) {
    return 'too few events to tell how long: a matter of a second or so';
  }
  const rate = `${count(Math.round(eventsPerSecond))} events/s`;
  const shares = workers === 1 ? '' : ` by ${workers} workers`;
  const pauses = throttle ? `, working ${throttle.share} of the time` : '';
  return `about ${duration(estimateMs / 1_000)}, at ${rate}, as a sample was read, folded and written${shares}${pauses}`;
}

function haltText({ event, detail }: Halt): string {
  return `${event.stream}@${event.revision} (${event.type}, ${event.id}): ${detail}`;
}

async function told(
  context: CommandContext,
  name: string,
  { until }: RebuildFlags,
  outcome: RebuildOutcome,
  seconds: number,
): Promise<ExitCode> {
  const { output } = context;
  switch (outcome.kind) {
    case 'rebuilt': {
      const { generation, events, resumed } = outcome;
      const checkpoint = encodeCheckpoint(outcome.checkpoint);
      const document = {
        projection: name,
        generation: `g${generation}`,
        events,
        seconds,
        checkpoint,
        resumed,
        until: until ? shownUntil(until) : null,
      };
      await output.result(document, () => {
        const rate = `${count(Math.round(events / Math.max(seconds, 0.001)))} events/s`;
        const done = resumed ? 'finished an interrupted rebuild' : 'rebuilt';
        return `${name} g${generation} ${done}: ${plural(events, 'event')} in ${duration(seconds)} (${rate}), up to ${checkpoint || 'the beginning'}`;
      });
      output.remark(
        until
          ? `It stands at ${shownUntil(until)} and stays there. Remove it with: annals drop ${name} --generation g${generation}`
          : `Next: annals verify ${name}, then annals promote ${name}`,
      );
      return exitCodes.ok;
    }
    case 'interrupted': {
      const at = encodeCheckpoint(outcome.checkpoint) || 'the beginning';
      const events = plural(outcome.events, 'event');
      throw interrupted(`stopped at ${at} after ${events}; the same command goes on from there`);
    }
    case 'refused':
      throw refusal(outcome);
    default:
      throw ended(name, outcome);
  }
}

function ended(
  name: string,
  outcome: Extract<RebuildOutcome, { readonly kind: 'halted' | 'busy' | 'lost' }>,
): CommandError {
  const named = `${name} g${outcome.generation}`;
  switch (outcome.kind) {
    case 'halted': {
      const message = `the rebuild of ${named} stops at ${haltText(outcome.halt)}`;
      // A key that is not there can be put back; any other event that stops it is a fault.
      const exitCode =
        outcome.halt.reason === 'missing-key' ? exitCodes.unavailable : exitCodes.failed;
      return new CommandError(exitCode, 'halted', message);
    }
    case 'busy': {
      const message = `${outcome.holder} is rebuilding ${named} already`;
      return new CommandError(exitCodes.refused, 'busy', message);
    }
    case 'lost': {
      const message = `the store of ${named} is gone: ${outcome.detail}; the same command begins anew`;
      return new CommandError(exitCodes.unavailable, 'lost', message);
    }
  }
}
