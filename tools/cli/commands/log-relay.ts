import { readFile, rename, writeFile } from 'node:fs/promises';
import { type Checkpoint, encodeCheckpoint } from '@annals/event-log';
import type { Command } from 'commander';
import { type CommandContext, withLog } from '../context.ts';
import { withExamples } from '../examples.ts';
import { CommandError, type ExitCode, exitCodes, interrupted } from '../exit-codes.ts';
import { brokerList, checkpointText } from '../option-values.ts';
import { plural } from '../output.ts';
import type { Act } from '../program.ts';

interface RelayOptions {
  readonly toTopic: string;
  readonly brokers: readonly string[];
  readonly progress: string;
  readonly category?: readonly string[];
  readonly follow?: boolean;
}

export function addLogRelay(log: Command, act: Act): void {
  withExamples(
    log
      .command('relay')
      .description(
        'publishes events to a Kafka topic for other consumers: in order for each stream, at least once',
      )
      .requiredOption('--to-topic <topic>', 'a topic that is there, and is not the topic of a log')
      .requiredOption('--brokers <list>', 'host:port of some brokers, with commas', brokerList)
      .requiredOption('--progress <file>', 'where it is kept how far the relay came')
      .option('--category <names...>', 'only streams of these categories')
      .option('--follow', 'goes on with new events')
      .action(act(relay)),
    [
      'annals log relay --to-topic accounting --brokers kafka-1:9092 --progress accounting.checkpoint',
      'what is new since the last time',
    ],
    [
      'annals log relay --to-topic wins --brokers kafka-1:9092 --progress wins.checkpoint --category scores --follow',
      'scores, until Ctrl-C',
    ],
  );
}

async function relay(context: CommandContext, options: RelayOptions): Promise<ExitCode> {
  const { toTopic, brokers, progress, category, follow = false } = options;
  const { signal } = context.io;
  const from = await keptIn(progress);
  // Loaded where it is used: no other command needs a Kafka client.
  const { relayLog } = await import('@annals/event-log-kafka');
  return withLog(context, async (log) => {
    const events = await relayLog({
      ...{ log, connection: { brokers }, topic: toTopic, from, signal },
      ...(category ? { filter: { categories: category } } : {}),
      until: follow ? 'follow' : 'head',
      onRelayed: (checkpoint) => keep(progress, checkpoint),
      onReport: ({ level, message }) => {
        if (level !== 'info') context.output.remark(message);
      },
    });
    if (signal.aborted)
      throw interrupted(`stopped after ${plural(events, 'event')}: call it again`);
    const document = { topic: toTopic, events };
    await context.output.result(document, () => `${plural(events, 'event')} sent to ${toTopic}`);
    return exitCodes.ok;
  });
}

async function keptIn(file: string): Promise<Checkpoint> {
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    return checkpointText(text);
  } catch {
    const message = `${file} holds no checkpoint: nothing was sent`;
    throw new CommandError(exitCodes.usage, 'not-a-checkpoint', message);
  }
}

/** The file is whole at any moment: the old checkpoint or the new one. */
async function keep(file: string, checkpoint: Checkpoint): Promise<void> {
  const text = encodeCheckpoint(checkpoint);
  if (text === '') return;
  const draft = `${file}.${process.pid}.partial`;
  await writeFile(draft, `${text}\n`, { flush: true });
  await rename(draft, file);
}
