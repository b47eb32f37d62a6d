import { timingSafeEqual } from 'node:crypto';
import { type Clock, sha256, systemClock } from '@annals/core';
import { type Checkpoint, EventDecodeError, type EventLog } from '@annals/event-log';
import { adminKeyProblem } from './admin-key.ts';
import { apiKeyCategory, apiKeyEvents, noSubjects } from './events.ts';
import { parseKeyToken, secretHash } from './key-text.ts';
import { limits } from './limits.ts';
import { effectiveScopes, scopeNames } from './scopes.ts';
import { type ApiKey, evolve, statusOf } from './state.ts';

export type Authentication =
  | {
      readonly kind: 'authenticated';
      /** `admin` for the fixed admin key of configuration. */
      readonly keyId: string;
      readonly name: string;
      /** All that the key may do: `admin` is spelled out as every scope. */
      readonly scopes: readonly string[];
    }
  | {
      readonly kind: 'rejected';
      /** `revoked` and `expired` are told only to who knows the secret. */
      readonly reason: 'malformed' | 'unknown' | 'revoked' | 'expired';
    };

/** How the directory stands to the log. For readiness checks, status and metrics. */
export type DirectoryState =
  /** Has not caught up yet. */
  | { readonly kind: 'starting' }
  | { readonly kind: 'following'; readonly checkpoint: Checkpoint; readonly keys: number }
  /** The log broke; it tries again. Until `limits.staleMsMax` after `since` keys are judged by what was known. */
  | {
      readonly kind: 'retrying';
      readonly error: unknown;
      readonly attempts: number;
      readonly since: number;
    }
  /** An event that this program cannot read: it stays so until a newer one is started. */
  | { readonly kind: 'halted'; readonly error: EventDecodeError }
  /** Its signal was aborted, or the log was closed. */
  | { readonly kind: 'stopped' };

export interface ApiKeys {
  /** Resolves once caught up with the log for the first time; rejects with ApiKeysUnavailableError when that cannot be any more. */
  ready(): Promise<void>;
  /** Judges a token, synchronously. Throws ApiKeysUnavailableError when it cannot know: before `ready`, and in no state but `following` and a short `retrying`. */
  authenticate(token: string): Authentication;
  state(): DirectoryState;
}

/** Whether a key is good cannot be told now. `code` is stable: answer 503. */
export class ApiKeysUnavailableError extends Error {
  readonly code = 'api-keys-unavailable';
  readonly state: DirectoryState['kind'];
  constructor(state: DirectoryState['kind'], options?: ErrorOptions) {
    super(`API keys cannot be judged now: the directory is ${state}`, options);
    this.name = 'ApiKeysUnavailableError';
    this.state = state;
  }
}

/**
 * All API keys in memory, following the log in the background until `signal` is aborted: what another
 * process issues or revokes holds here as soon as the log shows it. `adminKey` is a fixed key with
 * scope `admin`; it is compared, never stored. Throws a TypeError when it is too weak.
 */
export function apiKeyDirectory(
  log: Pick<EventLog, 'subscribe'>,
  options: {
    readonly signal: AbortSignal;
    readonly clock?: Clock;
    readonly adminKey?: string | undefined;
  },
): ApiKeys {
  const problem = options.adminKey === undefined ? undefined : adminKeyProblem(options.adminKey);
  if (problem) throw new TypeError(problem);
  const directory = new ApiKeyDirectory(
    options.clock ?? systemClock,
    options.adminKey === undefined ? undefined : digest(options.adminKey),
  );
  void directory.follow(log, options.signal);
  return directory;
}

class ApiKeyDirectory implements ApiKeys {
  readonly #clock: Clock;
  readonly #adminDigest: Buffer | undefined;
  readonly #keys = new Map<string, ApiKey>();
  readonly #ready = Promise.withResolvers<void>();
  #state: DirectoryState = { kind: 'starting' };
  #caughtUp = false;
  #checkpoint: Checkpoint = {};
  #attempts = 0;
  #failingSince: number | undefined;

  constructor(clock: Clock, adminDigest: Buffer | undefined) {
    this.#clock = clock;
    this.#adminDigest = adminDigest;
    // Whoever never asks for it has not left a rejection unhandled.
    this.#ready.promise.catch(() => undefined);
  }

  ready(): Promise<void> {
    return this.#ready.promise;
  }

  state(): DirectoryState {
    return this.#state;
  }

  authenticate(token: string): Authentication {
    if (this.#adminDigest && timingSafeEqual(digest(token), this.#adminDigest)) {
      return { kind: 'authenticated', keyId: 'admin', name: 'admin', scopes: scopeNames };
    }
    const parsed = parseKeyToken(token);
    if (!parsed) return { kind: 'rejected', reason: 'malformed' };
    const now = this.#clock.now();
    this.#mustKnow(now);
    const key = this.#keys.get(parsed.keyId);
    // Equal hashes are compared in equal time, so that no answer's time tells how much of one is right.
    const known =
      key && timingSafeEqual(bytesOf(secretHash(parsed.secret)), bytesOf(key.secretHash));
    if (!known) return { kind: 'rejected', reason: 'unknown' };
    const status = statusOf(key, now);
    if (status !== 'active') return { kind: 'rejected', reason: status };
    const { keyId, name, scopes } = key;
    return { kind: 'authenticated', keyId, name, scopes: effectiveScopes(scopes) };
  }

  /** Follows until aborted; never rejects. */
  async follow(log: Pick<EventLog, 'subscribe'>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#followOnce(log, signal);
        break;
      } catch (error) {
        if (error instanceof EventDecodeError) {
          this.#end({ kind: 'halted', error }, error);
          return;
        }
        await this.#pause(error, signal);
      }
    }
    this.#end({ kind: 'stopped' });
  }

  async #followOnce(log: Pick<EventLog, 'subscribe'>, signal: AbortSignal): Promise<void> {
    const filter = { categories: [apiKeyCategory] };
    for await (const delivery of log.subscribe(this.#checkpoint, filter, { signal })) {
      if (delivery.kind === 'events') {
        for (const event of await apiKeyEvents.decode(delivery.events, noSubjects)) {
          const key = evolve(this.#keys.get(event.data.key_id), event);
          if (key) this.#keys.set(event.data.key_id, key);
        }
      } else {
        this.#caughtUp = true;
        this.#attempts = 0;
        this.#failingSince = undefined;
        this.#ready.resolve();
      }
      this.#checkpoint = delivery.checkpoint;
      if (this.#caughtUp && this.#failingSince === undefined) {
        this.#state = {
          kind: 'following',
          checkpoint: this.#checkpoint,
          keys: this.#keys.size,
        };
      }
    }
  }

  async #pause(error: unknown, signal: AbortSignal): Promise<void> {
    const doubled = limits.pauseMsMin * 2 ** Math.min(this.#attempts, 30);
    this.#attempts += 1;
    this.#failingSince ??= this.#clock.now();
    this.#state = {
      kind: 'retrying',
      error,
      attempts: this.#attempts,
      since: this.#failingSince,
    };
    await this.#clock.sleep(Math.min(doubled, limits.pauseMsMax), signal);
  }

  #end(state: DirectoryState, cause?: unknown): void {
    this.#state = state;
    this.#ready.reject(new ApiKeysUnavailableError(state.kind, { cause }));
  }

  #mustKnow(now: number): void {
    const { kind } = this.#state;
    const fresh =
      kind === 'following' ||
      (kind === 'retrying' &&
        this.#caughtUp &&
        this.#failingSince !== undefined &&
        now - this.#failingSince <= limits.staleMsMax);
    if (!fresh) throw new ApiKeysUnavailableError(kind);
  }
}

/** Node gives hex digits several times quicker than bytes. */
function digest(text: string): Buffer {
  return bytesOf(sha256(text));
}

/** Hex digits as bytes, to be compared. */
function bytesOf(digits: string): Buffer {
  return Buffer.from(digits, 'latin1');
}
