import { coversAll } from './checkpoint.ts';
import { ChangedEventError, isContentChanged } from './content.ts';
import { LogHash } from './log-hash.ts';
import type { Checkpoint, EventLog } from './port.ts';
import { eventLine, headerLine, manifestLine } from './transfer-format.ts';

export interface ExportOptions {
  /** Only events after this checkpoint; the file then goes on from one that ended there. */
  readonly from?: Checkpoint;
  readonly onProgress?: (progress: ExportProgress) => void;
  /** Ends the export early, without the manifest: an import then says that it is truncated. */
  readonly signal?: AbortSignal;
}

export interface ExportProgress {
  readonly events: number;
  /** How far the export has come: a later one may begin here. */
  readonly checkpoint: Checkpoint;
}

/**
 * The log as lines of text, without line ends; see `transfer-format.ts`. It holds everything stored
 * when it began, and of later events a prefix of each stream, so that writers may go on meanwhile.
 * Throws ChangedEventError at an event that is not what its content hash was made of.
 */
export async function* exportLog(
  log: EventLog,
  options: ExportOptions = {},
): AsyncGenerator<string, void, undefined> {
  const goal = await log.head();
  const hash = new LogHash();
  let at = options.from ?? {};
  yield headerLine();
  for (;;) {
    if (options.signal?.aborted) return;
    const page = await log.read(at);
    at = page.checkpoint;
    for (const event of page.events) {
      // A line of its own hash would vouch for it from here on.
      if (isContentChanged(event)) throw new ChangedEventError(event);
      yield eventLine(event, hash.add(event));
    }
    options.onProgress?.({ events: hash.events, checkpoint: at });
    if (page.end || coversAll(at, goal)) break;
  }
  yield manifestLine({ events: hash.events, streams: hash.streams, hash: hash.digest() });
}
