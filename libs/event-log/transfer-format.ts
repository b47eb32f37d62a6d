import { z } from 'zod';
import { checkAppend } from './append-rules.ts';
import { limits } from './limits.ts';
import { eventHash, type PortableEvent } from './log-hash.ts';

/**
 * The text form of a log, one JSON object a line: a header, the events (each stream in the order of
 * its revisions), and a manifest that says how much should have come. It carries what every engine
 * keeps, byte for byte; positions and partitions are not part of it.
 */

const formatName = 'annals-log';
const formatVersion = 1;

export interface Manifest {
  readonly events: number;
  /** Streams whose first event is in this file. */
  readonly streams: number;
  /** `LogHash` of the events in this file. */
  readonly hash: string;
}

export type Line =
  | { readonly kind: 'header' }
  | { readonly kind: 'event'; readonly event: PortableEvent; readonly hash: string }
  | { readonly kind: 'manifest'; readonly manifest: Manifest }
  | { readonly kind: 'newer-format'; readonly version: number }
  | { readonly kind: 'corrupted'; readonly detail: string };

export function headerLine(): string {
  return JSON.stringify({ format: formatName, version: formatVersion });
}

/** `hash` is the event's `eventHash`; its first digits guard the line. */
export function eventLine(event: PortableEvent, hash: string): string {
  return JSON.stringify({
    stream: event.stream,
    revision: event.revision,
    id: event.id,
    type: event.type,
    schemaVersion: event.schemaVersion,
    occurredAt: new Date(event.occurredAt).toISOString(),
    recordedAt: new Date(event.recordedAt).toISOString(),
    metadata: event.metadata,
    contentHash: event.contentHash,
    data: event.data,
    check: hash.slice(0, checkDigits),
  });
}

export function manifestLine(manifest: Manifest): string {
  return JSON.stringify({ manifest });
}

const checkDigits = 16;

const isoTime = z
  .string()
  .max(24)
  .transform((text, context) => {
    const time = Date.parse(text);
    if (Number.isNaN(time) || new Date(time).toISOString() !== text) {
      context.addIssue('is not a time like 2026-01-02T03:04:05.678Z');
    }
    return time;
  });

const headerShape = z.strictObject({ format: z.literal(formatName), version: z.int() });

const eventShape = z.strictObject({
  stream: z.string(),
  revision: z.int().nonnegative(),
  id: z.string(),
  type: z.string(),
  schemaVersion: z.int(),
  occurredAt: isoTime,
  recordedAt: isoTime,
  metadata: z.strictObject({
    correlationId: z.string().exactOptional(),
    causationId: z.string().exactOptional(),
    actor: z.string().exactOptional(),
    tenant: z.string().exactOptional(),
  }),
  contentHash: z.string(),
  data: z.string(),
  check: z.string(),
});

const manifestShape = z.strictObject({
  manifest: z.strictObject({
    events: z.int().nonnegative(),
    streams: z.int().nonnegative(),
    hash: z.string().regex(/^[0-9a-f]{64}$/),
  }),
});

/** What one line says; anything that `exportLog` would not have written is `corrupted`. */
export function parseLine(text: string): Line {
  if (text.length > limits.exportLineCharsMax) {
    return corrupted(`it has ${text.length} characters, more than ${limits.exportLineCharsMax}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return corrupted('it is not JSON');
  }
  if (typeof value !== 'object' || value === null) return corrupted('it is not a JSON object');
  if ('format' in value) return parseHeader(value);
  if ('manifest' in value) {
    const parsed = manifestShape.safeParse(value);
    return parsed.success
      ? { kind: 'manifest', manifest: parsed.data.manifest }
      : corrupted(problemsOf(parsed.error));
  }
  return parseEvent(value);
}

function parseHeader(value: object): Line {
  const parsed = headerShape.safeParse(value);
  if (!parsed.success) return corrupted(problemsOf(parsed.error));
  const { version } = parsed.data;
  if (version > formatVersion) return { kind: 'newer-format', version };
  return version === formatVersion
    ? { kind: 'header' }
    : corrupted(`there is no format version ${version}`);
}

function parseEvent(value: object): Line {
  const parsed = eventShape.safeParse(value);
  if (!parsed.success) return corrupted(problemsOf(parsed.error));
  const { check, ...event } = parsed.data;
  const hash = eventHash(event);
  if (hash.slice(0, checkDigits) !== check) return corrupted('its check digits do not fit');
  const checked = checkAppend(event.stream, [event]);
  return checked.kind === 'refused' ? corrupted(checked.detail) : { kind: 'event', event, hash };
}

function corrupted(detail: string): Line {
  return { kind: 'corrupted', detail };
}

function problemsOf(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
}
