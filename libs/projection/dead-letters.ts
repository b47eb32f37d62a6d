import type { StoredEvent } from '@annals/event-log';
import type { Fold } from './fold.ts';
import type { AnyRecordedEvent, Row, Table } from './projection.ts';
import type { GenerationStore } from './store.ts';

export const deadLetterLimits = {
  /** Dead letters in one worker's share; then it halts. */
  lettersMax: 10_000,
  /** UTF-16 units of the error text kept with a letter. */
  errorTextLengthMax: 500,
} as const;

/**
 * The table every generation has beside the projection's own: events whose handler failed, and the
 * later ones of their streams. A letter names its event; the event itself stays in the log.
 */
export const deadLetterTable: Table = {
  name: 'dead_letters',
  columns: {
    stream: 'text',
    revision: 'integer',
    event_id: 'text',
    type: 'text',
    partition: 'integer',
    position: 'text',
    error_code: 'text',
    error: 'text',
    attempts: 'integer',
    parked_at: 'integer',
  },
  key: ['stream', 'revision'],
  writeOnly: true,
};

export interface DeadLetter {
  readonly stream: string;
  readonly revision: number;
  readonly eventId: string;
  readonly type: string;
  readonly partition: number;
  readonly position: string;
  /** `behind` when the event itself was never tried: an earlier one of its stream is parked. */
  readonly errorCode: string;
  /** Null when the event holds personal data, which must not be copied here. */
  readonly error: string | null;
  /** How often its handler was run and failed. */
  readonly attempts: number;
  /** When the event was recorded (milliseconds since 1970), so that a rebuild parks the same letter. */
  readonly parkedAt: number;
}

const behind = 'behind';

/** The letter of an event whose handler threw `error`. */
export function failedLetter(
  event: AnyRecordedEvent,
  stored: StoredEvent,
  error: unknown,
  attempts: number,
): DeadLetter {
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'handler-failed';
  return {
    ...letterOf(event),
    errorCode: code,
    // A sealed event's data has a member `$personal`: what its handler says might quote it.
    error: stored.data.includes('"$personal"')
      ? null
      : text.slice(0, deadLetterLimits.errorTextLengthMax),
    attempts,
  };
}

/** The letter of an event that waits behind a failed one. */
export function waitingLetter(event: AnyRecordedEvent): DeadLetter {
  return { ...letterOf(event), errorCode: behind, error: null, attempts: 0 };
}

function letterOf(event: AnyRecordedEvent) {
  return {
    stream: event.stream,
    revision: event.revision,
    eventId: event.id,
    type: event.type,
    partition: event.partition,
    position: event.position,
    parkedAt: event.recordedAt,
  };
}

export function letterRow(letter: DeadLetter): Row {
  return {
    stream: letter.stream,
    revision: letter.revision,
    event_id: letter.eventId,
    type: letter.type,
    partition: letter.partition,
    position: letter.position,
    error_code: letter.errorCode,
    error: letter.error,
    attempts: letter.attempts,
    parked_at: letter.parkedAt,
  };
}

export function letterFrom(row: Row): DeadLetter {
  return {
    stream: row.stream as string,
    revision: row.revision as number,
    eventId: row.event_id as string,
    type: row.type as string,
    partition: row.partition as number,
    position: row.position as string,
    errorCode: row.error_code as string,
    error: row.error as string | null,
    attempts: row.attempts as number,
    parkedAt: row.parked_at as number,
  };
}

/** The parked streams of one share: kept in memory beside the rows, loaded again with them. */
export class ParkedStreams {
  readonly #fold: Fold;
  readonly #streams = new Map<string, DeadLetter[]>();
  #letters = 0;

  constructor(fold: Fold) {
    this.#fold = fold;
  }

  get letters(): number {
    return this.#letters;
  }

  get full(): boolean {
    return this.#letters >= deadLetterLimits.lettersMax;
  }

  get streams(): readonly string[] {
    return [...this.#streams.keys()];
  }

  has(stream: string): boolean {
    return this.#letters > 0 && this.#streams.has(stream);
  }

  /** The letters of a stream, oldest first. */
  of(stream: string): readonly DeadLetter[] {
    return this.#streams.get(stream) ?? [];
  }

  reset(letters: readonly DeadLetter[]): void {
    this.#streams.clear();
    this.#letters = 0;
    const inOrder = letters.toSorted((a, b) => a.revision - b.revision);
    for (const letter of inOrder) this.#remember(letter);
  }

  /** Adds a letter behind those of its stream, and writes it. */
  park(letter: DeadLetter): void {
    this.#remember(letter);
    this.#fold.write(deadLetterTable.name, keyOf(letter), letterRow(letter));
  }

  /** Writes a stream's first letter anew: it was tried again and failed again. */
  replaceFirst(letter: DeadLetter): void {
    const letters = this.#streams.get(letter.stream);
    if (letters) letters[0] = letter;
    this.#fold.write(deadLetterTable.name, keyOf(letter), letterRow(letter));
  }

  /** Takes a stream's first letter away: its event was applied or discarded. */
  removeFirst(stream: string): void {
    const letters = this.#streams.get(stream);
    const letter = letters?.shift();
    if (!letters || !letter) return;
    this.#letters -= 1;
    if (letters.length === 0) this.#streams.delete(stream);
    this.#fold.write(deadLetterTable.name, keyOf(letter), null);
  }

  #remember(letter: DeadLetter): void {
    const letters = this.#streams.get(letter.stream);
    if (letters) letters.push(letter);
    else this.#streams.set(letter.stream, [letter]);
    this.#letters += 1;
  }
}

function keyOf(letter: DeadLetter): readonly [string, number] {
  return [letter.stream, letter.revision];
}

/** The letters of a generation as committed, by stream and revision; only streams that `wanted` lets through. */
export async function readDeadLetters(
  store: GenerationStore,
  wanted: (stream: string, partition: number) => boolean = () => true,
): Promise<DeadLetter[]> {
  const snapshot = await store.snapshot();
  try {
    if ((await snapshot.count(deadLetterTable.name)) === 0) return [];
    const letters: DeadLetter[] = [];
    for await (const page of snapshot.rows(deadLetterTable.name)) {
      for (const row of page) {
        const letter = letterFrom(row);
        if (wanted(letter.stream, letter.partition)) letters.push(letter);
      }
    }
    return letters;
  } finally {
    await snapshot.close();
  }
}
