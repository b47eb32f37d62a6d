import { join } from 'node:path';
import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from 'node:worker_threads';
import { EventLogError } from '@annals/event-log/port';
import { connect, logFileName, prepareForWriting, type WriterSettings } from './log-file.ts';
import { LogWriter, type TimedAppend } from './log-writer.ts';
import { toEventLogError } from './sqlite-errors.ts';
import { sqliteLimits } from './sqlite-limits.ts';
import {
  type AppendsMessage,
  type CloseMessage,
  decodeAppends,
  encodeResults,
  type WriterError,
  type WriterMessage,
  type WriterOptions,
} from './writer-protocol.ts';

/**
 * The writer thread of one opened log. Whatever has arrived while the last transaction was being
 * committed goes into the next one: the busier the log, the more appends share one fsync.
 *
 * What this thread loads is kept small, hence the subpaths of `@annals/event-log`: without the schemas
 * a log opens in half the time.
 */
function serve(port: MessagePort, writer: LogWriter): void {
  const waiting: TimedAppend[] = [];
  let closing = false;

  const take = (message: AppendsMessage | CloseMessage) => {
    if ('close' in message) closing = true;
    else {
      for (const request of decodeAppends(message)) waiting.push({ request, now: message.now });
    }
  };
  const takeAllThatArrived = () => {
    for (;;) {
      const received = receiveMessageOnPort(port);
      if (!received) return;
      take(received.message as AppendsMessage | CloseMessage);
    }
  };

  // One caller sends its next append as soon as it has the answer. To be woken for that takes longer
  // than to look out for it a moment; with more callers there is always something to do.
  const lookOut = () => {
    const until = performance.now() + sqliteLimits.writerLooksOutMsMax;
    while (waiting.length === 0 && !closing && performance.now() < until) takeAllThatArrived();
  };

  port.on('message', (message: AppendsMessage | CloseMessage) => {
    take(message);
    takeAllThatArrived();
    while (waiting.length > 0) {
      const group = nextGroup(waiting);
      port.postMessage(commitGroup(writer, group));
      takeAllThatArrived();
      if (group.length === 1) lookOut();
    }
    if (!closing) return;
    writer.close();
    port.close();
  });
}

function nextGroup(waiting: TimedAppend[]): TimedAppend[] {
  let events = 0;
  let count = 0;
  for (const { request } of waiting) {
    events += request.events.length;
    if (count > 0 && events > sqliteLimits.commitEventsMax) break;
    count += 1;
  }
  return waiting.splice(0, count);
}

function commitGroup(writer: LogWriter, group: readonly TimedAppend[]): WriterMessage {
  try {
    const { results, events } = writer.commit(group);
    return encodeResults(results, events);
  } catch (error) {
    return { kind: 'failed', appends: group.length, error: asWriterError(error) };
  }
}

function asWriterError(error: unknown): WriterError {
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof EventLogError ? { code: error.code, message } : { message };
}

function start(port: MessagePort, { folder }: WriterOptions): void {
  let opened: WriterMessage;
  try {
    const { writer, settings } = openWriter(folder);
    serve(port, writer);
    opened = { kind: 'opened', settings };
  } catch (error) {
    opened = { kind: 'failed-to-open', error: asWriterError(error) };
  }
  port.postMessage(opened);
}

function openWriter(folder: string): { writer: LogWriter; settings: WriterSettings } {
  const path = join(folder, logFileName);
  const db = connect(folder, 'read-write');
  try {
    const settings = prepareForWriting(db);
    return { writer: new LogWriter(db, path), settings };
  } catch (error) {
    db.close();
    throw toEventLogError(error, path);
  }
}

if (parentPort) start(parentPort, workerData as WriterOptions);
