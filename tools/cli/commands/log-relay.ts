import type { Checkpoint, EventLog } from '@annals/event-log';
import { LogTail, tailAt } from '@annals/projection';
import { HeldReports, openLogAt } from '@annals/projector';
import type { Command } from 'commander';
import { type CommandContext, opened, openingOf, withLog } from '../context.ts';
import { withExamples } from '../examples.ts';
import { type ExitCode, exitCodes, interrupted } from '../exit-codes.ts';
import { eventsIn } from '../log-head.ts';
import { plural } from '../output.ts';
import type { Act } from '../program.ts';
import { type Progress, progress } from '../progress.ts';
import { placeInCopy } from '../relay-place.ts';
import { keptProgress, mustBeOf, type Relayed, RelayProgress, refused } from '../relay-progress.ts';
import { relayTarget } from '../relay-target.ts';

interface RelayOptions {
  readonly toTopic?: string;
  readonly brokers: string;
  readonly progress: string;
  readonly category?: readonly string[];
  readonly follow?: boolean;
  readonly movedFrom?: string;
}

export function addLogRelay(log: Command, act: Act): void {
  withExamples(
    log
      .command('relay')
      .description(
        'publishes events to a Kafka topic for other consumers: in order for each stream, at least once',
      )
      .option('--to-topic <topic>', 'a topic that is there, and is not the topic of a log')
      .requiredOption(
        '--brokers <list>',
        'host:port of some brokers, with commas; or kafka://[user:password@]host:port,.../topic?tls=true&sasl=scram-sha-512 ' +
          'as for a log, where they ask who we are',
      )
      .requiredOption(
        '--progress <file>',
        'where it is kept how far the relay came: of one log and one topic',
      )
      .option('--category <names...>', 'only streams of these categories')
      .option('--follow', 'goes on with new events')
      .option(
        '--moved-from <url>',
        'the log that the progress is of, where this one is a copy of it: goes on behind what was sent, and leaves nothing out',
      )
      .action(act(relay)),
    [
      'annals log relay --to-topic accounting --brokers kafka-1:9092 --progress accounting.checkpoint',
      'what is new since the last time',
    ],
    [
      'annals log relay --to-topic wins --brokers kafka-1:9092 --progress wins.checkpoint --category scores --follow',
      'scores, until Ctrl-C',
    ],
    [
      'annals log relay --to-topic accounting --brokers kafka-1:9092 --progress accounting.checkpoint --log kafka://kafka-1:9092/annals --moved-from sqlite:./data',
      'once, after the log was moved with annals log copy',
    ],
  );
}

async function relay(context: CommandContext, options: RelayOptions): Promise<ExitCode> {
  const { category, follow = false } = options;
  const { signal } = context.io;
  const target = relayTarget(options.brokers, options.toTopic);
  // Loaded where it is used: no other command needs a Kafka client.
  const { relayLog } = await import('@annals/event-log-kafka');
  return withLog(context, async (log) => {
    const held = new HeldReports(openingOf(context).onReport);
    let kept: RelayProgress | undefined;
    let shown: Progress | undefined;
    const total = await eventsIn(log, category ? { categories: category } : {});
    const relaying = relayLog({
      ...{ log, ...target, signal },
      ...(category ? { filter: { categories: category } } : {}),
      until: follow ? 'follow' : 'head',
      from: async (topic) => {
        held.release();
        kept = await beginning(context, log, options, { topic, categories: category });
        shown = progress(context.io, 'relaying', { unit: 'events', quiet: context.json });
        return kept.checkpoint;
      },
      onRelayed: async (checkpoint, _, relayed) => {
        await kept?.keep(checkpoint, relayed);
        if (kept) shown?.update(kept.events, Math.max(total, kept.events));
      },
      onReport: ({ level, message }) => held.report(level, message),
    });
    const events = await relaying.finally(() => shown?.stop());
    if (signal.aborted)
      throw interrupted(`stopped after ${plural(events, 'event')}: call it again`);
    const { topic } = target;
    const document = { topic, events };
    await context.output.result(document, () => `${plural(events, 'event')} sent to ${topic}`);
    return exitCodes.ok;
  });
}

/** Where the relay goes on. Throws CommandError for the progress of another topic or another log. */
async function beginning(
  context: CommandContext,
  log: EventLog,
  { progress: file, movedFrom }: RelayOptions,
  relayed: Relayed,
): Promise<RelayProgress> {
  const kept = await keptProgress(file, relayed);
  if (!kept) {
    if (movedFrom === undefined) return new RelayProgress(file, relayed);
    throw refused('no-relay-progress', file, 'is not there, so nothing was sent of the old log');
  }
  const { events, checkpoint, last } = kept;
  if (movedFrom === undefined) {
    await mustBeOf(file, log, kept, otherLogFix);
    return new RelayProgress(file, relayed, { events, checkpoint, tail: new LogTail(last) });
  }
  const place = await movedPlace(context, log, { file, kept, movedFrom, relayed });
  const tail = await tailAt(log, relayed.categories, place);
  const moved = new RelayProgress(file, relayed, { events, checkpoint: place, tail });
  await moved.keep(place);
  return moved;
}

const otherLogFix =
  'Where the log was copied to here by annals log copy, --moved-from with the URL of the old log goes on from there; ' +
  'a new file sends everything';

/** Where in `log`, a copy of another one, everything was sent up to. */
async function movedPlace(
  context: CommandContext,
  log: EventLog,
  moved: {
    readonly file: string;
    readonly kept: NonNullable<Awaited<ReturnType<typeof keptProgress>>>;
    readonly movedFrom: string;
    readonly relayed: Relayed;
  },
): Promise<Checkpoint> {
  const { file, kept, movedFrom, relayed } = moved;
  const { dataFolder } = context.site;
  const old = await opened(context, (opening) =>
    openLogAt(movedFrom, { ...opening, dataFolder, readOnly: true }),
  );
  try {
    await mustBeOf(file, old.log, kept, '--moved-from names the log that the relay has read');
    const place = await placeInCopy(old.log, log, relayed.categories, kept.checkpoint);
    if ('problem' in place) {
      throw refused(
        'no-copy',
        file,
        `cannot go on here: this is no copy of ${old.shown}, ${place.problem}`,
      );
    }
    return place;
  } finally {
    await old.log.close();
  }
}
