import { type DomainEvent, EventTypes, eventType } from '@annals/event-log';
import { z } from 'zod';
import { movementSchema } from './events.ts';

/**
 * Bank statements as they were read. A provider gives its file again whenever it is asked; a bank does not, so that what
 * its lines say of our money is kept: reference, amount and day, and never a text that somebody wrote.
 */

const ofFile = { date: z.string(), sha256: z.string() };

export const statementLinesKept = eventType({
  name: 'statement-lines-kept',
  schemaVersion: 1,
  schema: z.strictObject({
    ...ofFile,
    part: z.int().min(1),
    lines: z.array(
      z.strictObject({
        line: z.int(),
        /** Absent where the line means nothing to us, or is bad. */
        movement: movementSchema.optional(),
        bad: z.strictObject({ reason: z.string(), detail: z.string() }).optional(),
      }),
    ),
  }),
});

/** The file was read to its end: before that its lines count for nothing. */
export const statementKept = eventType({
  name: 'statement-kept',
  schemaVersion: 1,
  schema: z.strictObject({ ...ofFile, format: z.string(), lines: z.int(), parts: z.int() }),
});

export const statementEvents = new EventTypes([statementLinesKept, statementKept]);
export type StatementEvent = DomainEvent<typeof statementLinesKept | typeof statementKept>;
export type KeptLine = z.output<typeof statementLinesKept.schema>['lines'][number];

export const statementCategory = 'statement';

/** One file of one day. */
export function statementStream(date: string, sha256: string): string {
  return `${statementCategory}-${date}~${sha256}`;
}
