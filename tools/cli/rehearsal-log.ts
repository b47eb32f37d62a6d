import type { EventLog } from '@annals/event-log';

/** What `importLog` asks of a log. */
type Asked = 'append' | 'readStream' | 'count';

/**
 * A log to rehearse an import on: reads come from the real one (or from an empty one), appends are
 * accepted and forgotten. So a bad line anywhere in a file, and an event that differs from the one in
 * the log, are found before anything is written. What it cannot find are events that are missing
 * before the first line of a stream: it takes every stream to be where the line says.
 */
export function rehearsalLog(real: EventLog | undefined): EventLog {
  const asked: Pick<EventLog, Asked> = {
    append: async (_stream, events, { expected }) => ({
      kind: 'stored',
      revision: (typeof expected === 'number' ? expected : -1) + events.length,
      partition: 0,
      position: '0',
      recordedAt: 0,
      duplicate: false,
    }),
    readStream: async (stream, options = {}) => {
      const page = await real?.readStream(stream, options);
      const before = (options.from ?? 0) - 1;
      const head = page === undefined || page.head === 'no-stream' ? -1 : page.head;
      return { events: page?.events ?? [], head: Math.max(head, before) };
    },
    count: async () => new Map(),
  };
  const notAsked = () => {
    throw new Error('an import does not ask this of a log');
  };
  return {
    ...asked,
    read: notAsked,
    subscribe: notAsked,
    head: notAsked,
    close: async () => undefined,
  };
}
