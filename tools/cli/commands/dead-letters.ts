import { paymentsExecutorName } from '@annals/payments/reactors';
import {
  type DeadLetter,
  type DeadLettersWorkedOff,
  discardDeadLetter,
  listDeadLetters,
  type Projection,
  retryDeadLetters,
  showDeadLetters,
} from '@annals/projection';
import type { Site } from '@annals/projector';
import type { Command } from 'commander';
import { confirmed } from '../confirm.ts';
import { type CommandContext, knownProjection, withSite } from '../context.ts';
import { withExamples } from '../examples.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { operationOn, refusal } from '../operations.ts';
import { generationNumber } from '../option-values.ts';
import { plural, time } from '../output.ts';
import { printable } from '../printable.ts';
import type { Act } from '../program.ts';
import { eventDocument } from '../shown-event.ts';
import { listCalls, notDiscarded, retryCalls, showCall } from './dead-calls.ts';

export function addDeadLetters(annals: Command, act: Act): void {
  const letters = annals
    .command('dead-letters')
    .description(
      'events that a read model could not apply, with those behind them in their streams; and calls ' +
        'to payment providers that nobody could bring to an end',
    );
  const add = (name: string, description: string) =>
    letters
      .command(name)
      .description(description)
      .argument('<name>', `the projection; or ${paymentsExecutorName}: calls to payment providers`)
      .option('--generation <gN>', 'this one, not the live one', generationNumber);
  withExamples(
    add('list', 'what is parked').action(act(list)),
    ['annals dead-letters list leaderboard', 'all parked events of the live generation'],
    [`annals dead-letters list ${paymentsExecutorName}`, 'the calls to payment providers'],
  );
  withExamples(
    add('show', 'what is parked of one stream, and the event that failed')
      .argument('<stream>', 'the stream; or the key of a call')
      .action(act(show)),
    ["annals dead-letters show leaderboard 'scores-default~7'", 'the event and the error'],
  );
  withExamples(
    add('retry', 'tries parked events again, in order; after the cause was removed')
      .argument('[stream]', 'only this stream; or the key of one call')
      .action(act(retry)),
    ['annals dead-letters retry leaderboard', 'every parked stream'],
    ["annals dead-letters retry leaderboard 'scores-default~7'", 'one stream'],
    [
      `annals dead-letters retry ${paymentsExecutorName}`,
      'every call that waits for a person: it is looked for first, and never sent with another key',
    ],
  );
  withExamples(
    add('discard', 'gives up the first parked event of a stream, and goes on with those behind it')
      .argument('<stream>', 'the stream')
      .action(act(discard)),
    ["annals dead-letters discard leaderboard 'scores-default~7'", 'asks first'],
  );
}

interface Flags {
  readonly generation?: number;
}

async function on<T>(
  context: CommandContext,
  name: string,
  { generation }: Flags,
  work: (
    operation: ReturnType<typeof operationOn> & Flags,
    projection: Projection,
    site: Site,
  ) => Promise<T>,
): Promise<T> {
  const projection = knownProjection(context, name);
  return withSite(context, async (site) => {
    const operation = operationOn(context, site, projection);
    const asked = generation === undefined ? operation : { ...operation, generation };
    return work(asked, projection, site);
  });
}

async function list(context: CommandContext, name: string, flags: Flags): Promise<ExitCode> {
  if (name === paymentsExecutorName) return listCalls(context);
  return on(context, name, flags, async (operation) => {
    const outcome = await listDeadLetters(operation);
    if (outcome.kind === 'refused') throw refusal(outcome);
    const { generation, letters } = outcome;
    const document = {
      projection: name,
      generation: `g${generation}`,
      letters: letters.map(letterDocument),
    };
    await context.output.result(document, () =>
      letters.length === 0
        ? `nothing is parked in ${name} g${generation}`
        : lettersTable(context, letters),
    );
    return exitCodes.ok;
  });
}

function letterDocument(letter: DeadLetter) {
  return {
    stream: letter.stream,
    revision: letter.revision,
    event_id: letter.eventId,
    type: letter.type,
    error_code: letter.errorCode,
    error: letter.error,
    attempts: letter.attempts,
    recorded_at: time(letter.parkedAt),
  };
}

function lettersTable({ output }: CommandContext, letters: readonly DeadLetter[]): string {
  return output.table(
    ['event', 'type', 'why', 'attempts', 'recorded'],
    letters.map((letter) => [
      printable(`${letter.stream}@${letter.revision}`),
      printable(letter.type),
      why(letter),
      letter.attempts,
      time(letter.parkedAt),
    ]),
  );
}

function why({ errorCode, error }: DeadLetter): string {
  if (errorCode === 'behind') return 'waits behind the one before';
  return printable(
    error === null ? `${errorCode} (holds personal data)` : `${errorCode}: ${error}`,
  );
}

async function show(
  context: CommandContext,
  name: string,
  stream: string,
  flags: Flags,
): Promise<ExitCode> {
  if (name === paymentsExecutorName) return showCall(context, stream);
  return on(context, name, flags, async (operation) => {
    const outcome = await showDeadLetters({ ...operation, stream });
    if (outcome.kind === 'refused') throw refusal(outcome);
    const { generation, letters, event } = outcome;
    const document = {
      projection: name,
      generation: `g${generation}`,
      event: eventDocument(event),
      letters: letters.map(letterDocument),
    };
    await context.output.result(document, () =>
      [
        lettersTable(context, letters),
        `the event that failed, ${event.id}:`,
        printable(event.data),
      ].join('\n'),
    );
    return exitCodes.ok;
  });
}

async function retry(
  context: CommandContext,
  name: string,
  stream: string | undefined,
  flags: Flags,
): Promise<ExitCode> {
  if (name === paymentsExecutorName) return retryCalls(context, stream);
  return on(context, name, flags, async (operation) => {
    return workedOff(context, name, await retryDeadLetters({ ...operation, stream }));
  });
}

async function discard(
  context: CommandContext,
  name: string,
  stream: string,
  flags: Flags,
): Promise<ExitCode> {
  if (name === paymentsExecutorName) throw notDiscarded();
  return on(context, name, flags, async (operation) => {
    const parked = await showDeadLetters({ ...operation, stream });
    if (parked.kind === 'refused') throw refusal(parked);
    const { event } = parked;
    const named = printable(`${event.stream}@${event.revision} (${event.type})`);
    await confirmed(context, `Give up ${named} in every generation of ${name}, for good?`);
    return workedOff(context, name, await discardDeadLetter({ ...operation, stream }));
  });
}

async function workedOff(
  context: CommandContext,
  name: string,
  outcome: DeadLettersWorkedOff,
): Promise<ExitCode> {
  if (outcome.kind === 'refused') throw refusal(outcome);
  const { generation, streams, remaining, done } = outcome;
  const document = {
    projection: name,
    generation: `g${generation}`,
    streams,
    remaining: remaining.map(letterDocument),
    done,
  };
  await context.output.result(document, () => {
    if (streams.length === 0) return `nothing is parked in ${name} g${generation}`;
    if (!done) return 'asked for; the running projector has not come to it yet: see annals status';
    if (remaining.length === 0) return `${plural(streams.length, 'stream')} worked off`;
    return `still parked:\n${lettersTable(context, remaining)}`;
  });
  return exitCodes.ok;
}
