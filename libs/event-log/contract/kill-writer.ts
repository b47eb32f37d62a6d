import { writeSync } from 'node:fs';
import type { EventLog, NewEvent } from '../port.ts';
import { type KillWriterTask, killEvents, killStream, killStreams } from './kill-appends.ts';

/**
 * The child process of the kill tests: appends without end until it is killed. Each acknowledgement
 * is one line on stdout, written at once: `number revision duplicate`. Anything but `stored` ends it
 * with exit code 1 and the reason on stderr.
 */

const task = JSON.parse(process.argv[2] ?? '{}') as KillWriterTask;
const { openLog } = (await import(task.module)) as { openLog(argument: string): Promise<EventLog> };
const log = await openLog(task.argument);

async function appendOnce(append: number, events: readonly NewEvent[]): Promise<void> {
  for (;;) {
    const result = await log.append(killStream(task.lane, append), events, { expected: 'any' });
    if (result.kind === 'unknown') continue;
    if (result.kind !== 'stored') throw new Error(JSON.stringify(result));
    acknowledge(`${append} ${result.revision} ${result.duplicate}\n`);
    return;
  }
}

/** Written before this returns. A pipe whose reader is slow is full for a while. */
function acknowledge(line: string): void {
  for (;;) {
    try {
      writeSync(1, line);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

/** One caller for each stream, so that several appends are under way whenever the kill comes. */
async function appendForever(caller: number): Promise<void> {
  for (let append = task.first + caller; ; append += killStreams) {
    await appendOnce(append, killEvents(task.lane, append));
  }
}

await Promise.all(Array.from({ length: killStreams }, (_, caller) => appendForever(caller)));
