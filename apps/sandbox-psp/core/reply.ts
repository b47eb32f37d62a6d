import type { ApiErrorBody } from './objects.ts';

/** What a request comes to, before it is written as JSON. */
export interface Reply {
  readonly status: number;
  readonly body: object;
  /**
   * Whether the idempotency key keeps it: parameters that fail their checks never began anything, so their key is
   * free for another request.
   */
  readonly kept: boolean;
}

export function answer(body: object): Reply {
  return { status: 200, body, kept: true };
}

export function failure(status: number, error: ApiErrorBody): Reply {
  return { status, body: { error }, kept: true };
}

type Details = Omit<ApiErrorBody, 'type' | 'message'>;

/** The object is not in a state for this, or the balance does not cover it: kept by the key. */
export function refusal(message: string, details: Details = {}): Reply {
  return failure(400, { type: 'invalid_request_error', message, ...details });
}

/** A parameter is not what it has to be. */
export function invalid(message: string, details: Details = {}): Reply {
  return { ...refusal(message, details), kept: false };
}

export function missing(what: string, id: string, param: string): Reply {
  const message = `No such ${what}: '${id}'`;
  const error = {
    type: 'invalid_request_error',
    code: 'resource_missing',
    message,
    param,
  } as const;
  return { ...failure(404, error), kept: false };
}
