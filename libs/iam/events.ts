import type { SubjectCipher } from '@annals/core';
import { type DomainEvent, EventTypes, eventType, type RecordedEvent } from '@annals/event-log';
import { z } from 'zod';

/** Stored formats: version them with care. Times are milliseconds since 1970, UTC. */

export const apiKeyCategory = 'api_key';

/** The stream that holds the life of one key. */
export function apiKeyStream(keyId: string): string {
  return `${apiKeyCategory}-${keyId}`;
}

export const apiKeyIssued = eventType({
  name: 'api-key-issued',
  schemaVersion: 1,
  schema: z.strictObject({
    key_id: z.string(),
    name: z.string(),
    /** Names of scopes. A reader that does not know one keeps it: it grants nothing there. */
    scopes: z.array(z.string()),
    secret_hash: z.string().regex(/^[0-9a-f]{64}$/),
    expires_at: z.int().optional(),
    issued_by: z.string(),
  }),
});

export const apiKeyRevoked = eventType({
  name: 'api-key-revoked',
  schemaVersion: 1,
  schema: z.strictObject({ key_id: z.string(), revoked_by: z.string() }),
});

type ApiKeyEventType = typeof apiKeyIssued | typeof apiKeyRevoked;

export const apiKeyEvents = new EventTypes<ApiKeyEventType>([apiKeyIssued, apiKeyRevoked]);
export type ApiKeyEvent = DomainEvent<ApiKeyEventType>;
export type RecordedApiKeyEvent = RecordedEvent<ApiKeyEventType>;

/** No field of these events is personal data, so the codec never asks for a key. */
export const noSubjects: SubjectCipher = {
  keyring: async () => {
    throw new TypeError('events of API keys hold no personal data');
  },
};
