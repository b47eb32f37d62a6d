import {
  type Checkpoint,
  covers,
  type EventLog,
  type Filter,
  limits,
  type Page,
  type StoredEvent,
} from '@annals/event-log';
import type { Command } from 'commander';
import { type CommandContext, withLog } from '../context.ts';
import { withExamples } from '../examples.ts';
import { CommandError, type ExitCode, exitCodes } from '../exit-codes.ts';
import { logHead } from '../log-head.ts';
import { another, wholeNumber } from '../option-values.ts';
import { plural } from '../output.ts';
import type { Act } from '../program.ts';
import { showEvent } from '../shown-event.ts';

export function addLogReads(log: Command, act: Act): void {
  withExamples(
    log
      .command('head')
      .description('where the log stands: its last position and how many events it holds')
      .action(act(head)),
    ['annals log head', 'the checkpoint that --until and --from understand'],
    ['annals log head --json', 'the same for a script'],
  );
  const number = wholeNumber(0, Number.MAX_SAFE_INTEGER);
  withExamples(
    log
      .command('show')
      .description('the events of one stream, oldest first; personal data stays sealed')
      .argument('<stream>', 'category-id, as in player-ann')
      .option('--from <revision>', 'the first revision to show (with --backward: the last)', number)
      .option('--backward', 'newest first')
      .option('--limit <events>', 'how many at most', wholeNumber(1, Number.MAX_SAFE_INTEGER))
      .action(act(show)),
    ['annals log show projection-leaderboard', 'what became of the generations of a read model'],
    ['annals log show player-ann --backward --limit 1 --json', 'the last event as JSON'],
  );
  withExamples(
    log
      .command('tail')
      .description('the last events of the log')
      .option('--follow', 'go on with new events until Ctrl-C')
      .option('--limit <events>', 'how many of the last ones', wholeNumber(0, 10_000), 20)
      .option('--category <name>', 'only streams of this category (may come again)', another)
      .option('--type <name>', 'only events of this type (may come again)', another)
      .action(act(tail)),
    ['annals log tail', 'the last 20 events'],
    ['annals log tail --follow --category scores --json', 'every score as it comes, as JSON lines'],
  );
}

async function head(context: CommandContext): Promise<ExitCode> {
  return withLog(context, async (log) => {
    const result = await logHead(log);
    const { checkpoint, events, last_recorded_at: last } = result;
    await context.output.result(result, () =>
      last === null
        ? 'the log is empty'
        : `${checkpoint}  ${plural(events, 'event')}, the last one of ${last}`,
    );
    return exitCodes.ok;
  });
}

interface ShowOptions {
  readonly from?: number;
  readonly backward?: boolean;
  readonly limit?: number;
}

async function show(
  context: CommandContext,
  stream: string,
  options: ShowOptions,
): Promise<ExitCode> {
  return withLog(context, async (log) => {
    const direction = options.backward ? 'backward' : 'forward';
    let from = options.from;
    let left = options.limit ?? Number.MAX_SAFE_INTEGER;
    for (;;) {
      const limit = Math.min(left, limits.pageEventsDefault);
      const page = await log.readStream(stream, {
        direction,
        limit,
        ...(from === undefined ? {} : { from }),
      });
      if (page.head === 'no-stream') throw noSuchStream(stream);
      for (const event of page.events) await showEvent(context.output, event);
      left -= page.events.length;
      const last = page.events.at(-1);
      if (context.io.signal.aborted) return exitCodes.interrupted;
      if (!last || left === 0 || (options.backward && last.revision === 0)) return exitCodes.ok;
      from = options.backward ? last.revision - 1 : last.revision + 1;
    }
  });
}

function noSuchStream(stream: string): CommandError {
  const shown = JSON.stringify(stream.slice(0, 64));
  return new CommandError(
    exitCodes.usage,
    'no-such-stream',
    `the log has no stream ${shown}: annals log tail shows the last events with their streams`,
  );
}

interface TailOptions {
  readonly follow?: boolean;
  readonly limit: number;
  readonly category?: readonly string[];
  readonly type?: readonly string[];
}

async function tail(context: CommandContext, options: TailOptions): Promise<ExitCode> {
  const filter: Filter = {
    ...(options.category ? { categories: options.category } : {}),
    ...(options.type ? { types: options.type } : {}),
  };
  return withLog(context, async (log) => {
    const head = await log.head();
    const events = await lastEvents(log, filter, { head, most: options.limit });
    for (const event of events) await showEvent(context.output, event);
    if (events.length === 0 && options.limit > 0) {
      const none = (await logHead(log)).events === 0 ? 'the log is empty' : 'no event is like that';
      context.output.remark(options.follow ? `${none} so far` : none);
    }
    if (!options.follow) return exitCodes.ok;
    const { signal } = context.io;
    for await (const delivery of log.subscribe(head, filter, { signal })) {
      if (delivery.kind !== 'events') continue;
      for (const event of delivery.events) await showEvent(context.output, event);
    }
    return exitCodes.interrupted;
  });
}

/** The last events up to `head`, oldest first. */
async function lastEvents(
  log: EventLog,
  filter: Filter,
  options: { readonly head: Checkpoint; readonly most: number },
): Promise<StoredEvent[]> {
  const { head, most } = options;
  const found: StoredEvent[] = [];
  let from: Checkpoint | 'end' = 'end';
  while (found.length < most) {
    const limit: number = Math.min(most - found.length, limits.pageEventsDefault);
    const page: Page = await log.read(from, filter, { direction: 'backward', limit });
    // What was stored since comes by the subscription, not twice.
    found.push(...page.events.filter((one) => covers(head, one.partition, one.position)));
    if (page.end) break;
    from = page.checkpoint;
  }
  return found.toReversed();
}
