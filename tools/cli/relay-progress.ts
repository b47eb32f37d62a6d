import { readFile, rename, writeFile } from 'node:fs/promises';
import {
  type Checkpoint,
  decodeCheckpoint,
  type EventLog,
  encodeCheckpoint,
  type StoredEvent,
} from '@annals/event-log';
import type { RelayTopic } from '@annals/event-log-kafka';
import { divergence, LogTail } from '@annals/projection';
import { z } from 'zod';
import { CommandError, exitCodes } from './exit-codes.ts';

/** What a relay publishes, and where to. */
export interface Relayed {
  readonly topic: Pick<RelayTopic, 'name' | 'id'>;
  /** Undefined: all of them. */
  readonly categories: readonly string[] | undefined;
}

const fileSchema = z.strictObject({
  /** Cluster and name. */
  topic: z.string(),
  topic_id: z.string().nullable(),
  categories: z.array(z.string()).nullable(),
  /** How many were sent. */
  events: z.number().int().nonnegative(),
  checkpoint: z.string().transform((text, context) => {
    const checkpoint = decodeCheckpoint(text);
    if (checkpoint) return checkpoint;
    context.addIssue('is no checkpoint');
    return z.NEVER;
  }),
  /** The last event of each partition up to there. */
  last: z.string(),
});

type Kept = z.infer<typeof fileSchema>;

/**
 * How far a relay came, in a file. A checkpoint alone means something else in another log, and nothing in another topic: so
 * the file names the topic, the categories and the last event that was sent of each partition.
 */
export class RelayProgress {
  readonly #file: string;
  readonly #relayed: Relayed;
  readonly #tail: LogTail;
  readonly checkpoint: Checkpoint;
  #events: number;

  constructor(
    file: string,
    relayed: Relayed,
    kept: {
      readonly events: number;
      readonly checkpoint: Checkpoint;
      readonly tail: LogTail;
    } = { events: 0, checkpoint: {}, tail: new LogTail('') },
  ) {
    this.#file = file;
    this.#relayed = relayed;
    this.#tail = kept.tail;
    this.checkpoint = kept.checkpoint;
    this.#events = kept.events;
  }

  /** How many events were sent, by all calls. */
  get events(): number {
    return this.#events;
  }

  /** The file is whole at any moment: what it was or what it is. */
  async keep(checkpoint: Checkpoint, relayed: readonly StoredEvent[] = []): Promise<void> {
    this.#tail.take(relayed);
    this.#events += relayed.length;
    const text = encodeCheckpoint(checkpoint);
    if (text === '') return;
    const { topic, categories } = this.#relayed;
    const kept: z.input<typeof fileSchema> = {
      ...{ topic: topic.name, topic_id: topic.id ?? null, categories: sorted(categories) },
      ...{ events: this.#events, checkpoint: text, last: this.#tail.upTo(checkpoint) },
    };
    const draft = `${this.#file}.${process.pid}.partial`;
    await writeFile(draft, `${JSON.stringify(kept)}\n`, { flush: true });
    await rename(draft, this.#file);
  }
}

/**
 * What the file says, which must be of the same topic and categories; undefined when there is none. Throws CommandError
 * before anything is sent.
 */
export async function keptProgress(file: string, relayed: Relayed): Promise<Kept | undefined> {
  const kept = await readKept(file);
  if (!kept) return undefined;
  const { name, id } = relayed.topic;
  if (kept.topic !== name) {
    const problem = `is of the topic ${kept.topic}, and this one is ${name}`;
    throw refused('other-topic', file, `${problem}: give each topic a file of its own`);
  }
  if (id !== undefined && kept.topic_id !== null && kept.topic_id !== id) {
    const problem = `is of an earlier topic ${name}, which was made anew since`;
    throw refused('other-topic', file, `${problem}: a new file sends everything to this one`);
  }
  const [before, now] = [kept.categories, relayed.categories].map((names) =>
    (sorted(names) ?? ['all']).join(', '),
  );
  if (before !== now) {
    const problem = `is of a relay of other categories (${before})`;
    throw refused('other-categories', file, `${problem}: give each relay a file of its own`);
  }
  return kept;
}

/** Throws CommandError unless `log` holds at `kept` what was sent from it. */
export async function mustBeOf(
  file: string,
  log: Pick<EventLog, 'head' | 'read'>,
  kept: Kept,
  fix: string,
): Promise<void> {
  const { checkpoint, last, categories } = kept;
  const read = { checkpoint, tail: last };
  const problem = await divergence(log, categories ?? undefined, read);
  if (problem !== undefined) {
    throw refused('other-log', file, `is of another log than this one: ${problem}. ${fix}`);
  }
}

async function readKept(file: string): Promise<Kept | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return fileSchema.parse(JSON.parse(text));
  } catch {
    const message = `${file} holds no progress of a relay: nothing was sent. With a new file all events are sent, those again that were`;
    throw new CommandError(exitCodes.usage, 'no-relay-progress', message);
  }
}

export function refused(code: string, file: string, problem: string): CommandError {
  return new CommandError(exitCodes.refused, code, `${file} ${problem}. Nothing was sent`);
}

function sorted(names: readonly string[] | null | undefined): string[] | null {
  return names ? [...new Set(names)].sort() : null;
}
