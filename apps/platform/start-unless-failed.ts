import type { Closing } from '@annals/http';

/** What a start is told, and tells. */
export interface Start {
  /** What was opened, the last one first: the order of closing. */
  readonly opened: Closing[];
  /** Aborted with the reason once a log has failed: nothing more is to be opened. */
  readonly failed: AbortSignal;
  readonly onFailed: (error: Error) => void;
}

/**
 * What a start comes to; all that was opened is closed where it fails. A log that fails meanwhile ends it: what waits for that
 * log to be read would wait for ever.
 */
export async function startUnlessFailed<T>(
  start: (means: Start) => Promise<T>,
  onFailed?: (error: Error) => void,
): Promise<T> {
  const opened: Closing[] = [];
  const failing = new AbortController();
  const failed = Promise.withResolvers<never>();
  const starting = start({
    opened,
    failed: failing.signal,
    onFailed: (error) => {
      failing.abort(error);
      failed.reject(error);
      onFailed?.(error);
    },
  });
  try {
    return await Promise.race([starting, failed.promise]);
  } catch (error) {
    await closeAll(opened);
    // What is opened at this moment is closed as soon as it is there.
    const closeRest = () => closeAll(opened);
    void starting.then(closeRest, closeRest);
    throw error;
  }
}

/** Closes what was opened before a start failed; the failure of the start is what is told. */
async function closeAll(opened: Closing[]): Promise<void> {
  for (let part = opened.shift(); part; part = opened.shift()) {
    try {
      await part.close();
    } catch {
      // The next part is closed all the same.
    }
  }
}
