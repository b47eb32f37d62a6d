import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { type Checkpoint, coversAll, decodeCheckpoint, encodeCheckpoint } from '@annals/event-log';
import { z } from 'zod';

/** Up to which erasure a generation was purged, and where it stood then. */
export interface Purged {
  readonly erased: Checkpoint;
  readonly checkpoint: Checkpoint;
}

const checkpointSchema = z
  .string()
  .transform(decodeCheckpoint)
  .pipe(z.custom<Checkpoint>((value) => value !== undefined));
const notesSchema = z.record(
  z.string(),
  z.strictObject({ erased: checkpointSchema, checkpoint: checkpointSchema }),
);

/**
 * A file that says what was purged, so that a start need not write every read model anew. A cache:
 * where it is missing, unreadable or older than the truth, a purge is done again.
 */
export class PurgeNotes {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** A store that stands behind where it stood was put back from an older copy: that is not purged. */
  isPurged(name: string, { erased, checkpoint }: Purged): boolean {
    const noted = this.#read().get(name);
    return (
      noted !== undefined &&
      coversAll(noted.erased, erased) &&
      coversAll(checkpoint, noted.checkpoint)
    );
  }

  async note(name: string, purged: Purged): Promise<void> {
    const notes = this.#read().set(name, purged);
    const texts = [...notes].map(([key, { erased, checkpoint }]) => [
      key,
      { erased: encodeCheckpoint(erased), checkpoint: encodeCheckpoint(checkpoint) },
    ]);
    const next = `${this.#file}.${process.pid}`;
    await writeFile(next, `${JSON.stringify(Object.fromEntries(texts), undefined, 2)}\n`);
    await rename(next, this.#file);
  }

  #read(): Map<string, Purged> {
    try {
      const parsed = notesSchema.safeParse(JSON.parse(readFileSync(this.#file, 'utf8')));
      return new Map(parsed.success ? Object.entries(parsed.data) : []);
    } catch {
      return new Map();
    }
  }
}
