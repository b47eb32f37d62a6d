import { idFromKey } from '@annals/core';
import type { ApiKeyEvent } from './events.ts';
import { isKeyId } from './key-id.ts';
import { limits } from './limits.ts';
import { isScope, scopeNames } from './scopes.ts';
import type { ApiKey } from './state.ts';

export interface IssueKey {
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly secretHash: string;
  readonly expiresAt?: number;
  /** Who asks: a key id, `admin`, `cli`. Never a person's name. */
  readonly issuedBy: string;
  readonly now: number;
}

export interface RevokeKey {
  readonly keyId: string;
  readonly revokedBy: string;
  readonly now: number;
}

export type KeyRefusal =
  | 'invalid-name'
  | 'invalid-scopes'
  | 'invalid-expiry'
  | 'invalid-actor'
  | 'invalid-key-id'
  | 'key-exists'
  | 'unknown-key';

export type KeyDecision =
  /** No events: it is so already. */
  | { readonly kind: 'decided'; readonly events: readonly ApiKeyEvent[] }
  | { readonly kind: 'refused'; readonly reason: KeyRefusal; readonly detail: string };

export function decideIssue(key: ApiKey | undefined, command: IssueKey): KeyDecision {
  const { keyId, name, expiresAt, issuedBy, now } = command;
  if (!isKeyId(keyId)) return refused('invalid-key-id', 'the id of a key is 16 hex digits');
  if (key) return refused('key-exists', `there is a key ${keyId} already`);
  const problem = nameProblem(name);
  if (problem) return refused('invalid-name', problem);
  const granted = [...new Set(command.scopes)];
  const unknown = granted.filter((scope) => !isScope(scope));
  if (granted.length === 0 || unknown.length > 0) {
    const found = unknown.length > 0 ? `no such scope: ${shown(unknown.join(', '))}` : 'no scope';
    return refused('invalid-scopes', `${found}; there are ${scopeNames.join(', ')}`);
  }
  if (expiresAt !== undefined && !isExpiry(expiresAt, now)) {
    return refused('invalid-expiry', 'the expiry is a time ahead, ten years away at most');
  }
  if (!isActor(issuedBy)) return refused('invalid-actor', actorRule);
  return decided({
    type: 'api-key-issued',
    id: idFromKey('api-key-issued', keyId),
    data: {
      key_id: keyId,
      name,
      // Sorted by the table: the same scopes are the same event, in whatever order they were asked for.
      scopes: scopeNames.filter((scope) => granted.includes(scope)),
      secret_hash: command.secretHash,
      ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
      issued_by: issuedBy,
    },
    occurredAt: now,
  });
}

export function decideRevoke(key: ApiKey | undefined, command: RevokeKey): KeyDecision {
  const { keyId, revokedBy, now } = command;
  if (!isKeyId(keyId)) return refused('invalid-key-id', 'the id of a key is 16 hex digits');
  if (!isActor(revokedBy)) return refused('invalid-actor', actorRule);
  if (!key) return refused('unknown-key', `there is no key ${keyId}`);
  if (key.revoked) return { kind: 'decided', events: [] };
  return decided({
    type: 'api-key-revoked',
    id: idFromKey('api-key-revoked', keyId),
    data: { key_id: keyId, revoked_by: revokedBy },
    occurredAt: now,
  });
}

function decided(event: ApiKeyEvent): KeyDecision {
  return { kind: 'decided', events: [event] };
}

function refused(reason: KeyRefusal, detail: string): KeyDecision {
  return { kind: 'refused', reason, detail };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters being refused.
const controlCharacters = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

function nameProblem(name: string): string | undefined {
  if (name.trim() !== name || name === '') return 'a name is not empty, and has no space around it';
  if (name.length > limits.nameCharsMax) {
    return `a name has at most ${limits.nameCharsMax} characters`;
  }
  if (controlCharacters.test(name) || !name.isWellFormed()) {
    return 'a name is well-formed Unicode without control characters';
  }
  return undefined;
}

const actorRule = `who acts is named by 1 to ${limits.actorCharsMax} of a-z, A-Z, 0-9, . _ : -`;
const actorPattern = /^[A-Za-z0-9._:-]+$/;

function isActor(actor: string): boolean {
  return actor.length <= limits.actorCharsMax && actorPattern.test(actor);
}

function isExpiry(expiresAt: number, now: number): boolean {
  return (
    Number.isSafeInteger(expiresAt) && expiresAt > now && expiresAt - now <= limits.lifetimeMsMax
  );
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 128));
}
