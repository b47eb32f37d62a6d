import { encodeCheckpoint } from '@annals/event-log';
import {
  type Projection,
  planRebuild,
  type RebuildOutcome,
  rebuild,
  type Until,
} from '@annals/projection';
import type { Embedded } from '@annals/projector';
import { type Command, InvalidArgumentError } from 'commander';
import { type CommandContext, knownProjection, withEmbedded } from '../context.ts';
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
      .option('--dry-run', 'only say what it would read, and about how long it would take')
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
  const projection = knownProjection(name);
  return withEmbedded(context, async (embedded) => {
    const { workers, until, throttle, dryRun } = flags;
    if (dryRun) return planned(context, embedded, projection);
    const startedAt = context.io.clock.now();
    const shown = progress(context.io, `rebuilding ${name}`, {
      unit: 'events',
      quiet: context.json,
    });
    const share = throttle === true ? throttledShare : throttle;
    const outcome = await rebuild({
      ...operationOn(context, embedded, projection),
      workers,
      until,
      throttle: share === undefined ? undefined : { share },
      onProgress: ({ events, total }) => shown.update(events, total),
    }).finally(() => shown.stop());
    const seconds = (context.io.clock.now() - startedAt) / 1_000;
    return told(context, name, flags, outcome, seconds);
  });
}

async function planned(
  context: CommandContext,
  embedded: Embedded,
  projection: Projection,
): Promise<ExitCode> {
  const { output } = context;
  const plan = await planRebuild(operationOn(context, embedded, projection));
  const document = {
    projection: plan.projection,
    version: plan.version,
    generation: `g${plan.generation}`,
    resumes: plan.resumes,
    events: plan.events,
    events_by_type: plan.eventsByType,
    sampled_events_per_second: plan.sampledEventsPerSecond ?? null,
    estimated_seconds: plan.estimateMs === undefined ? null : plan.estimateMs / 1_000,
  };
  await output.result(document, () => {
    const types = [...plan.eventsByType].sort(([, a], [, b]) => b - a);
    const what = plan.resumes ? 'would be gone on with' : 'would be filled';
    return [
      `${plan.projection} g${plan.generation} ${what}: ${plural(plan.events, 'event')}`,
      ...(types.length === 0
        ? []
        : [
            output.table(
              ['type', 'events'],
              types.map(([type, events]) => [type, count(events)]),
            ),
          ]),
      estimate(plan.sampledEventsPerSecond, plan.estimateMs),
    ].join('\n');
  });
  return exitCodes.ok;
}

function estimate(rate: number | undefined, estimateMs: number | undefined): string {
  if (rate === undefined || estimateMs === undefined) return 'there is nothing to read';
  const measured = `${count(Math.round(rate))} events/s`;
  return `about ${duration(estimateMs / 1_000)}, at the ${measured} that a sample was folded with; writing comes on top`;
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
      const { event, detail } = outcome.halt;
      const at = `${event.stream}@${event.revision} (${event.type}, ${event.id})`;
      const message = `the rebuild of ${named} stops at ${at}: ${detail}`;
      return new CommandError(exitCodes.failed, 'halted', message);
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
