import type { RecordedApiKeyEvent } from './events.ts';

/** A key as its events tell it. Times are milliseconds since 1970, UTC. */
export interface ApiKey {
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly string[];
  /** SHA-256 of its secret, 64 hex digits. */
  readonly secretHash: string;
  readonly issuedAt: number;
  readonly issuedBy: string;
  /** From this moment on it is expired. Without it, it never is. */
  readonly expiresAt?: number;
  readonly revoked?: { readonly at: number; readonly by: string };
}

type Told = Pick<RecordedApiKeyEvent, 'type' | 'data' | 'occurredAt'>;

/** One event on. An event told twice changes nothing. */
export function evolve(key: ApiKey | undefined, event: Told): ApiKey | undefined {
  const { type, data, occurredAt } = event as RecordedApiKeyEvent;
  switch (type) {
    case 'api-key-issued':
      return (
        key ?? {
          keyId: data.key_id,
          name: data.name,
          scopes: data.scopes,
          secretHash: data.secret_hash,
          issuedAt: occurredAt,
          issuedBy: data.issued_by,
          ...(data.expires_at === undefined ? {} : { expiresAt: data.expires_at }),
        }
      );
    case 'api-key-revoked':
      return key && !key.revoked
        ? { ...key, revoked: { at: occurredAt, by: data.revoked_by } }
        : key;
  }
}

export type ApiKeyStatus = 'active' | 'revoked' | 'expired';

/** Revoked comes before expired: it says more. */
export function statusOf(key: ApiKey, now: number): ApiKeyStatus {
  if (key.revoked) return 'revoked';
  return key.expiresAt !== undefined && now >= key.expiresAt ? 'expired' : 'active';
}
