import { decodeCheckpoint } from '@annals/event-log';
import type { Until } from '@annals/projection';
import { InvalidArgumentError } from 'commander';

const isoTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/;

/**
 * A point in time, as the value of `--until`: a position as `annals log head` prints it, or a time
 * (RFC 3339 with its offset; a date alone is the beginning of that day, UTC).
 */
export function untilText(text: string): Until {
  const time = isoTime.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time) && isSameDay(text, time)) return { time };
  if (text !== '' && decodeCheckpoint(text)) return { checkpoint: text };
  throw new InvalidArgumentError(
    'It is a time, as in 2026-01-31T12:00:00Z, or a position as annals log head prints it.',
  );
}

/** `Date.parse` takes the 31st of February for the 3rd of March. */
function isSameDay(text: string, time: number): boolean {
  const zone = /(Z|[+-]\d\d:\d\d)$/.exec(text)?.[0] ?? 'Z';
  const sign = zone.startsWith('-') ? -1 : 1;
  const [hours = 0, minutes = 0] = zone === 'Z' ? [] : zone.slice(1).split(':').map(Number);
  const local = new Date(time + sign * (hours * 60 + minutes) * 60_000);
  return local.toISOString().slice(0, 10) === text.slice(0, 10);
}

export function shownUntil(until: Until): string {
  return 'time' in until ? new Date(until.time).toISOString() : until.checkpoint;
}
