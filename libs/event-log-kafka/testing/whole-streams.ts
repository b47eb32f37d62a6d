import type { StoredEvent } from '@annals/event-log';
import type { KafkaEventLog } from '../index.ts';

/** All that streams hold now, whoever wrote it: read behind a barrier. */
export async function wholeStreams(
  log: Pick<KafkaEventLog, 'barrier' | 'readStream'>,
  streams: readonly string[],
): Promise<Map<string, StoredEvent[]>> {
  const found = new Map<string, StoredEvent[]>();
  for (const stream of streams) {
    await log.barrier(stream);
    const events: StoredEvent[] = [];
    for (;;) {
      const page = await log.readStream(stream, { from: events.length });
      events.push(...page.events);
      if (page.head === 'no-stream' || events.length > page.head) break;
    }
    found.set(stream, events);
  }
  return found;
}
