import type { SubjectCipher } from '@annals/core';
import { z } from 'zod';
import { EventTypes, eventType } from '../event-types.ts';

/** All digests of a log: a stream of its own, which no digest is about. */
export const digestCategory = 'digest';
export const digestStream = 'digest-log';

const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));

/** Revisions `from` to `to` of a stream, and the SHA-256 over the hashes of their events, one after the other. */
const signedRange = z.strictObject({
  stream: z.string(),
  from: z.int().nonnegative(),
  to: z.int().nonnegative(),
  hash: hex(64),
});

/**
 * What the log held, signed: the ranges of all streams that have grown since the digest before. It names streams and
 * revisions and no positions, so it holds for a copy of the log on any engine.
 */
export const logDigested = eventType({
  name: 'log-digested',
  schemaVersion: 1,
  schema: z.strictObject({
    /** 1, 2, … */
    number: z.int().min(1),
    events: z.int().min(1),
    /** When the oldest and the newest of them were recorded: milliseconds since 1970. */
    recorded_from: z.int(),
    recorded_to: z.int(),
    ranges: z.array(signedRange).min(1),
    /** The signature of the digest before; empty for the first: none can be taken out. */
    previous: z.string(),
    public_key: hex(64),
    /** Ed25519 over the canonical JSON of all other members but `place`. */
    signature: hex(128),
    /** Where the keeper goes on in this very log. Not signed: positions mean nothing elsewhere. */
    place: z.strictObject({
      checkpoint: z.string(),
      stream: z.string(),
      revision: z.int().nonnegative(),
      partition: z.int().nonnegative(),
      position: z.string(),
    }),
  }),
});

export const digestEvents = new EventTypes([logDigested]);
export type LogDigest = z.output<typeof logDigested.schema>;
export type SignedRange = LogDigest['ranges'][number];

/** Digests hold no personal data, so they need no keys. */
export const noSubjects: SubjectCipher = {
  keyring: () => Promise.reject(new Error('a digest has no subject')),
};
