import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '@annals/core';
import { type EventLog, isPassing } from '@annals/event-log';
import { decideIssue, decideRevoke, type KeyDecision, type KeyRefusal } from './decide.ts';
import {
  apiKeyCategory,
  apiKeyEvents,
  apiKeyIssued,
  apiKeyStream,
  noSubjects,
  type RecordedApiKeyEvent,
} from './events.ts';
import { isKeyId } from './key-id.ts';
import { keyToken, parseKeyToken, secretHash } from './key-text.ts';
import { limits } from './limits.ts';
import { type ApiKey, type ApiKeyStatus, evolve, statusOf } from './state.ts';

/** What the service needs. `randomBytes` is `node:crypto`'s but in a simulation. */
export interface ApiKeyMeans {
  readonly log: Pick<EventLog, 'append' | 'readStream' | 'read' | 'count'>;
  readonly clock?: Clock;
  readonly randomBytes?: (bytes: number) => Uint8Array;
}

type Refused = {
  readonly kind: 'refused';
  readonly reason: KeyRefusal | 'too-many-keys';
  readonly detail: string;
};

/** The log did not take the event; nothing changed, and it may be tried again. */
type Unavailable = { readonly kind: 'unavailable'; readonly detail: string };

/** It may have happened: look with `listKeys`. */
type Unknown = { readonly kind: 'unknown'; readonly keyId: string; readonly detail: string };

export type Issued =
  /** `token` is shown this once: only its hash is kept. Not for logs. */
  | { readonly kind: 'issued'; readonly keyId: string; readonly token: string }
  | Refused
  | Unavailable
  | Unknown;

export type Revoked =
  | { readonly kind: 'revoked'; readonly keyId: string; readonly already: boolean }
  | Refused
  | Unavailable
  | Unknown;

/** Makes a key. `expiresAt`: milliseconds since 1970, UTC; without it the key does not expire. */
export async function issueKey(
  means: ApiKeyMeans,
  request: {
    readonly name: string;
    readonly scopes: readonly string[];
    readonly expiresAt?: number;
    readonly issuedBy: string;
  },
): Promise<Issued> {
  const random = means.randomBytes ?? randomBytes;
  const token = keyToken(random(limits.keyIdBytes), random(limits.secretBytes));
  const { keyId, secret } = parseKeyToken(token) ?? impossible('a new token does not parse');
  if ((await issuedKeys(means)) >= limits.keysMax) {
    const detail = `${limits.keysMax} keys were issued already`;
    return { kind: 'refused', reason: 'too-many-keys', detail };
  }
  const changed = await change(means, keyId, (key, now) =>
    decideIssue(key, { ...request, keyId, secretHash: secretHash(secret), now }),
  );
  return changed.kind === 'changed' ? { kind: 'issued', keyId, token } : changed;
}

/** Revokes a key, for good. It stops working in each process as soon as the log shows it there. */
export async function revokeKey(
  means: ApiKeyMeans,
  request: { readonly keyId: string; readonly revokedBy: string },
): Promise<Revoked> {
  const { keyId } = request;
  const changed = await change(means, keyId, (key, now) => decideRevoke(key, { ...request, now }));
  return changed.kind === 'changed'
    ? { kind: 'revoked', keyId, already: changed.events === 0 }
    : changed;
}

export type ListedApiKey = Omit<ApiKey, 'secretHash'> & { readonly status: ApiKeyStatus };

/** All keys ever issued, the first issued first; without their hashes. */
export async function listKeys(means: ApiKeyMeans): Promise<readonly ListedApiKey[]> {
  const now = (means.clock ?? systemClock).now();
  const keys = new Map<string, ApiKey>();
  for await (const event of allEvents(means)) {
    const key = evolve(keys.get(event.data.key_id), event);
    if (key) keys.set(event.data.key_id, key);
  }
  return [...keys.values()]
    .sort((a, b) => a.issuedAt - b.issuedAt || (a.keyId < b.keyId ? -1 : 1))
    .map((key) => {
      const { secretHash: _, ...listed } = key;
      return { ...listed, status: statusOf(key, now) };
    });
}

async function* allEvents({ log }: ApiKeyMeans): AsyncGenerator<RecordedApiKeyEvent> {
  let from: Parameters<EventLog['read']>[0] = 'start';
  for (;;) {
    const page = await log.read(from, { categories: [apiKeyCategory] }, { limit: 1_000 });
    yield* await apiKeyEvents.decode(page.events, noSubjects);
    if (page.end) return;
    from = page.checkpoint;
  }
}

async function issuedKeys({ log }: ApiKeyMeans): Promise<number> {
  const counts = await log.count({ categories: [apiKeyCategory], types: [apiKeyIssued.name] });
  return counts.get(apiKeyIssued.name) ?? 0;
}

type Changed = { readonly kind: 'changed'; readonly events: number };

/** Reads a key, decides, appends. A conflict decides again on the new state; an unknown outcome sends the same events again. */
async function change(
  means: ApiKeyMeans,
  keyId: string,
  decide: (key: ApiKey | undefined, now: number) => KeyDecision,
): Promise<Changed | Refused | Unavailable | Unknown> {
  const clock = means.clock ?? systemClock;
  const now = clock.now();
  let detail = '';
  for (let attempt = 1; attempt <= limits.attemptsMax; attempt += 1) {
    const { key, head } = await readKey(means, keyId);
    const decision = decide(key, now);
    if (decision.kind === 'refused') return decision;
    if (decision.events.length === 0) return { kind: 'changed', events: 0 };
    const encoded = await apiKeyEvents.encode(decision.events, noSubjects);
    if (encoded.kind !== 'encoded') return impossible('a key has no subject to erase');
    const answer = await appendOnce(means, clock, keyId, encoded.events, head);
    switch (answer.kind) {
      case 'stored':
        return { kind: 'changed', events: encoded.events.length };
      case 'unknown':
        return { kind: 'unknown', keyId, detail: answer.detail };
      case 'refused':
        if (!isPassing(answer.reason)) return impossible(answer.detail);
        return { kind: 'unavailable', detail: answer.detail };
      default:
        detail = `the key changed meanwhile (${answer.kind})`;
    }
  }
  return { kind: 'unavailable', detail };
}

type NewEvents = Parameters<EventLog['append']>[1];
type Expected = Parameters<EventLog['append']>[2]['expected'];

/** One append, sent again with the same ids while its outcome is unknown. */
async function appendOnce(
  { log }: ApiKeyMeans,
  clock: Clock,
  keyId: string,
  events: NewEvents,
  expected: Expected,
) {
  let pauseMs: number = limits.pauseMsMin;
  for (let attempt = 1; ; attempt += 1) {
    const answer = await log.append(apiKeyStream(keyId), events, { expected });
    if (answer.kind !== 'unknown' || attempt === limits.attemptsMax) return answer;
    await clock.sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 2, limits.pauseMsMax);
  }
}

async function readKey({ log }: ApiKeyMeans, keyId: string) {
  // An id from outside may be no name of a stream at all; decide refuses it, so it is not looked up.
  if (!isKeyId(keyId)) return { key: undefined, head: 'no-stream' as const };
  const page = await log.readStream(apiKeyStream(keyId));
  const events = await apiKeyEvents.decode(page.events, noSubjects);
  const key = events.reduce<ApiKey | undefined>(evolve, undefined);
  return { key, head: page.head };
}

function impossible(detail: string): never {
  throw new Error(`bug: ${detail}`);
}
