import {
  type Checkpoint,
  type CopyResult,
  copyLog,
  coversAll,
  EventLogError,
} from '@annals/event-log';
import { type OpenedLog, openLogAt, parseLogUrl } from '@annals/projector';
import { type Command, Option } from 'commander';
import { type CommandContext, opened } from '../context.ts';
import { withExamples } from '../examples.ts';
import { CommandError, type ExitCode, exitCodes, interrupted } from '../exit-codes.ts';
import { hashOfLog } from '../hash-of-log.ts';
import { eventsIn } from '../log-head.ts';
import { wholeNumber } from '../option-values.ts';
import { count, plural } from '../output.ts';
import type { Act } from '../program.ts';
import { progress } from '../progress.ts';
import { isSameLog, isSamePlace } from '../same-log.ts';

interface LogCopyOptions {
  readonly from: string;
  readonly to: string;
  readonly follow?: boolean;
  /** Seconds without anything new. */
  readonly cutOver?: number | true;
}

/** Long enough for a writer that was just stopped to have had its last append stored. */
const quietSecondsDefault = 5;
const quietSecondsMax = 3_600;

export function addLogCopy(log: Command, act: Act): void {
  withExamples(
    log
      .command('copy')
      .description(
        'copies a log to another place or another engine while it is in use: every stream, revision, id and time ' +
          'as it is, so that both have one log hash. Run again, it goes on from what is there; a place that ' +
          'holds anything else is refused before anything is written',
      )
      .requiredOption('--from <url>', 'sqlite:FOLDER, kafka://... or esdb://...')
      .requiredOption('--to <url>', 'the same; made where nothing is')
      .addOption(
        new Option('--follow', 'goes on with new events, until Ctrl-C').conflicts('cutOver'),
      )
      .option(
        '--cut-over [seconds]',
        'goes on until nothing new has come for so long (5 s unless told: stop the writers meanwhile), as the engine of ' +
          'the first log says, then compares the hashes of both logs',
        wholeNumber(1, quietSecondsMax),
      )
      .action(act(copy)),
    ['annals log copy --from sqlite:./data --to kafka://kafka-1:9092/annals', 'what is there now'],
    [
      'annals log copy --from sqlite:./data --to kafka://kafka-1:9092/annals --cut-over',
      'to move: follows until the writers were stopped, and compares',
    ],
  );
}

async function copy(context: CommandContext, options: LogCopyOptions): Promise<ExitCode> {
  const { dataFolder } = context.site;
  const from = await opened(context, (opening) =>
    openLogAt(options.from, { ...opening, dataFolder, readOnly: true }),
  );
  try {
    const place = parseLogUrl(options.to);
    if (place.kind !== 'bad-url' && isSamePlace(from.place, place)) throw sameLog();
    const to = await opened(context, (opening) =>
      openLogAt(options.to, { ...opening, dataFolder, mustExist: false }),
    );
    try {
      if (isSameLog(from, to)) throw sameLog();
      return await copyBetween(context, from, to, options);
    } finally {
      await to.log.close();
    }
  } finally {
    await from.log.close();
  }
}

function sameLog(): CommandError {
  return new CommandError(exitCodes.usage, 'same-log', '--from and --to are the same log');
}

async function copyBetween(
  context: CommandContext,
  from: OpenedLog,
  to: OpenedLog,
  { follow = false, cutOver }: LogCopyOptions,
): Promise<ExitCode> {
  const { io, output, json } = context;
  const shown = progress(io, 'copying', { unit: 'events', quiet: json });
  const total = await eventsIn(from.log);
  let result: CopyResult;
  try {
    result = await copyLog(from.log, to.log, {
      signal: io.signal,
      clock: io.clock,
      onProgress: ({ events }) => shown.update(events, Math.max(total, events)),
      onCaughtUp: (copied) =>
        cutOver === undefined ? follow : hasMore(context, from, copied, cutOver),
    });
  } finally {
    shown.stop();
  }
  if (result.kind === 'aborted') {
    const words = `stopped after ${plural(result.added, 'event')}: the same command goes on from what is there`;
    throw interrupted(words);
  }
  if (result.kind === 'refused') {
    throw new CommandError(exitCodes.refused, result.reason, `${to.shown}: ${result.detail}`);
  }
  const { events, added, hash } = result;
  if (cutOver !== undefined) await mustHaveHash(context, to, hash);
  const document = { from: from.shown, to: to.shown, events, added, hash };
  await output.result(document, () => {
    const counted = `${plural(added, 'event')} copied, ${count(events - added)} were there already`;
    return `${counted}; log hash ${hash}`;
  });
  if (cutOver === undefined) return exitCodes.ok;
  output.remark(
    `${to.shown} has the same log hash. Start the writers with ANNALS_LOG naming it, rebuild every read model, and ` +
      'tell every reactor where to begin: positions of the old log mean nothing there.',
  );
  return exitCodes.ok;
}

/** Whether anything has come behind what was copied, within the time that it must be quiet. */
async function hasMore(
  { io }: CommandContext,
  from: OpenedLog,
  copied: Checkpoint,
  cutOver: number | true,
): Promise<boolean> {
  const quietSeconds = cutOver === true ? quietSecondsDefault : cutOver;
  await io.clock.sleep(quietSeconds * 1_000, io.signal);
  if (io.signal.aborted) return true;
  await mustBeHeard(from);
  return !coversAll(copied, await from.log.head());
}

/** What is read here may be a replica that is cut off, which is quiet as well: so its engine is asked. */
async function mustBeHeard(from: OpenedLog): Promise<void> {
  try {
    await from.barrier();
  } catch (error) {
    if (!(error instanceof EventLogError) || !isSilence(error)) throw error;
    const events = plural(await eventsIn(from.log), 'event');
    throw new CommandError(
      exitCodes.unavailable,
      error.code,
      `${from.shown} does not answer (${error.message}): it may hold more than the ${events} that are known here, so nothing ` +
        'is compared. The same command goes on from what is there',
    );
  }
}

function isSilence({ code }: EventLogError): boolean {
  return code === 'unreachable' || code === 'catching-up';
}

async function mustHaveHash(context: CommandContext, to: OpenedLog, hash: string): Promise<void> {
  const found = (await hashOfLog(context, to)).digest();
  if (found === hash) return;
  const message = `${to.shown} has the log hash ${found}, and what was copied to it ${hash}`;
  throw new CommandError(exitCodes.different, 'log-differs', message);
}
