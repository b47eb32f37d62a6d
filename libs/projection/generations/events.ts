import type { SubjectCipher } from '@annals/core';
import { decodeCheckpoint, EventTypes, eventType } from '@annals/event-log';
import { z } from 'zod';

/** The category of the streams that say which generations exist and which one is live. */
export const controlCategory = 'projection';

export function controlStream(projection: string): string {
  return `${controlCategory}-${projection}`;
}

/** The projection a control stream belongs to. */
export function projectionOf(stream: string): string {
  return stream.slice(controlCategory.length + 1);
}

const generation = z.int().positive();
const checkpointText = z.string().refine((text) => decodeCheckpoint(text) !== undefined, {
  message: 'not a checkpoint',
});

/** Where a point-in-time generation ends: at a checkpoint, or before the first event recorded after a time. */
const untilSchema = z.union([
  z.strictObject({ checkpoint: checkpointText }),
  /** Milliseconds since 1970, inclusive. */
  z.strictObject({ time: z.int() }),
]);
export type Until = z.output<typeof untilSchema>;

const generationCreated = eventType({
  name: 'generation-created',
  schemaVersion: 1,
  schema: z.strictObject({
    generation,
    /** The version of the projection whose handlers fill it. */
    version: z.int().positive(),
    workers: z.int().positive(),
    until: untilSchema.optional(),
    created_by: z.string(),
  }),
});

const generationRebuilt = eventType({
  name: 'generation-rebuilt',
  schemaVersion: 1,
  schema: z.strictObject({ generation, checkpoint: checkpointText }),
});

/** A rebuild came to an event that it cannot read or apply. No error text: that may hold personal data. */
const generationHalted = eventType({
  name: 'generation-halted',
  schemaVersion: 1,
  schema: z.strictObject({
    generation,
    /** A stable word: an `EventDecodeErrorCode`, or `handler-failed`. */
    reason: z.string(),
    stream: z.string(),
    revision: z.int().nonnegative(),
    event_id: z.uuid(),
    type: z.string(),
  }),
});
export type GenerationHalt = z.output<typeof generationHalted.schema>;

const generationVerified = eventType({
  name: 'generation-verified',
  schemaVersion: 1,
  schema: z.strictObject({
    generation,
    /** The generation it was compared with; absent when only its own consistency was checked. */
    against: z.union([generation, z.literal('refold')]).optional(),
    same: z.boolean(),
    checkpoint: checkpointText,
    tables: z.array(z.strictObject({ table: z.string(), rows: z.int(), hash: z.string() })),
    problems: z.int().nonnegative(),
  }),
});
export type Verification = z.output<typeof generationVerified.schema>;

const generationPromoted = eventType({
  name: 'generation-promoted',
  schemaVersion: 1,
  schema: z.strictObject({ generation, previous: generation.optional() }),
});

const generationRolledBack = eventType({
  name: 'generation-rolled-back',
  schemaVersion: 1,
  schema: z.strictObject({ generation, previous: generation }),
});

const generationDropped = eventType({
  name: 'generation-dropped',
  schemaVersion: 1,
  schema: z.strictObject({ generation }),
});

const deadLetterRetryRequested = eventType({
  name: 'dead-letter-retry-requested',
  schemaVersion: 1,
  schema: z.strictObject({ generation, stream: z.string() }),
});

/** The event is void for this projection: a generation in which it fails leaves it out. */
const deadLetterDiscarded = eventType({
  name: 'dead-letter-discarded',
  schemaVersion: 1,
  schema: z.strictObject({
    generation,
    stream: z.string(),
    revision: z.int().nonnegative(),
    event_id: z.uuid(),
  }),
});

const controlEvents = [
  generationCreated,
  generationRebuilt,
  generationHalted,
  generationVerified,
  generationPromoted,
  generationRolledBack,
  generationDropped,
  deadLetterRetryRequested,
  deadLetterDiscarded,
] as const;

export type ControlEventType = (typeof controlEvents)[number];
export const controlEventTypes = new EventTypes<ControlEventType>(controlEvents);

/** No control event holds personal data. */
export const noPersonalData: SubjectCipher = {
  keyring: () => Promise.reject(new Error('control events hold no personal data')),
};
