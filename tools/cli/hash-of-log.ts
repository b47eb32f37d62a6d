import { hashLog, type LogHash } from '@annals/event-log';
import { type OpenedLog, openLogAt } from '@annals/projector';
import { type CommandContext, opened } from './context.ts';
import { interrupted } from './exit-codes.ts';
import { eventsIn } from './log-head.ts';
import { progress } from './progress.ts';

/** Reads a whole log for its hash, and shows how far that is. Throws CommandError when it is stopped. */
export async function hashOfLog(
  { io, json }: CommandContext,
  { log, shown }: OpenedLog,
): Promise<LogHash> {
  const bar = progress(io, `reading ${shown}`, { unit: 'events', quiet: json });
  try {
    const total = await eventsIn(log);
    const onProgress = (events: number) => bar.update(events, total);
    const hash = await hashLog(log, { onProgress, signal: io.signal });
    if (io.signal.aborted) throw interrupted('stopped before the end of the log');
    return hash;
  } finally {
    bar.stop();
  }
}

/** The same of the log at a URL, which must be there. */
export async function hashOfLogAt(
  context: CommandContext,
  url: string,
): Promise<{ readonly shown: string; readonly hash: LogHash }> {
  const { dataFolder } = context.site;
  const found = await opened(context, (opening) =>
    openLogAt(url, { ...opening, dataFolder, readOnly: true }),
  );
  try {
    return { shown: found.shown, hash: await hashOfLog(context, found) };
  } finally {
    await found.log.close();
  }
}
