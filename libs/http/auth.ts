import { httpErrors } from './errors.ts';
import { limits } from './limits.ts';
import type { Problem } from './problem.ts';

/** What this kit needs of the store of API keys. `@annals/iam` has it. */
export interface Authenticator {
  /** Synchronous answers are cheaper: a promise costs every request a turn of the event loop. */
  authenticate(token: string): Authentication | Promise<Authentication>;
}

export type Authentication =
  | ({ readonly kind: 'authenticated' } & Caller)
  | { readonly kind: 'rejected'; readonly reason: RejectionReason };

export type RejectionReason = 'malformed' | 'unknown' | 'revoked' | 'expired';

/** Who calls: the key, never the person. */
export interface Caller {
  readonly keyId: string;
  /** What the operator called the key. */
  readonly name: string;
  readonly scopes: readonly string[];
}

/** RFC 6750 §2.1: `Bearer`, in any case, and a b64token. */
const bearerPattern = /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;

/** The token of an Authorization header, or the 401 to answer. */
export function bearerToken(header: string | undefined): string | Problem {
  if (header === undefined) return unauthorized('missing');
  const token = header.length <= limits.tokenCharsMax ? bearerPattern.exec(header)?.[1] : undefined;
  return token ?? unauthorized('malformed');
}

/**
 * 401 with the challenge of RFC 6750 §3: no error code when no token was sent, `invalid_token` for
 * one that is "expired, revoked, malformed, or invalid for other reasons".
 */
export function unauthorized(reason: RejectionReason | 'missing'): Problem {
  const error = reason === 'missing' ? '' : `, error="invalid_token"`;
  return httpErrors.problem(`${reason}-token`, undefined, {
    headers: { 'www-authenticate': `Bearer realm="annals"${error}` },
  });
}

/** 403 that names the scope, also in the challenge (RFC 6750 §3.1). */
export function insufficientScope(scope: string): Problem {
  return httpErrors.problem(
    'insufficient-scope',
    { scope },
    {
      headers: {
        'www-authenticate': `Bearer realm="annals", error="insufficient_scope", scope="${scope}"`,
      },
      members: { scope },
    },
  );
}

/** Why this caller may not use what asks for `scope`, or undefined when it may. */
export function accessProblem(
  found: Authentication,
  scope: string | undefined,
): Problem | undefined {
  if (found.kind === 'rejected') return unauthorized(found.reason);
  return scope === undefined || found.scopes.includes(scope) ? undefined : insufficientScope(scope);
}
