import { categoryOf, encodeCheckpoint, type StoredEvent } from '@annals/event-log';
import type { Output } from './output.ts';
import { time } from './output.ts';
import { printable } from './printable.ts';

/** One event of the log: two lines for people, a line of JSON for programs. */
export async function showEvent(output: Output, event: StoredEvent): Promise<void> {
  const { paint } = output;
  await output.line(eventDocument(event), () => {
    const place = `${printable(event.stream)}@${event.revision}`;
    const type = `${printable(event.type)} v${event.schemaVersion}`;
    const told = `${time(event.recordedAt)}  ${paint.bold(place)}  ${paint.cyan(type)}`;
    return `${told}\n  ${paint.dim(event.id)}  ${printable(event.data)}`;
  });
}

/** An event as JSON: `data` as a value; what is sealed in it stays sealed. */
export function eventDocument(event: StoredEvent) {
  return {
    stream: event.stream,
    revision: event.revision,
    position: encodeCheckpoint({ [event.partition]: event.position }),
    id: event.id,
    category: categoryOf(event.stream),
    type: event.type,
    schema_version: event.schemaVersion,
    occurred_at: time(event.occurredAt),
    recorded_at: time(event.recordedAt),
    metadata: event.metadata,
    data: parsed(event.data),
  };
}

/** The log takes nothing but JSON objects; what is damaged is shown as the text that is there. */
function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}
