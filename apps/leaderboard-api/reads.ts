import { identifier, Problem } from '@annals/http';
import { boardIdSchema, periodSchema, type Read, tiesSchema } from '@annals/leaderboard';
import { problemOf } from './errors.ts';

/** A position as an answer gave it; the log itself says whether it is one. */
export const positionSchema = identifier({ charsMax: 1_024 });

/** What every read may say. */
export const readQuery = {
  leaderboard: boardIdSchema.optional(),
  period: periodSchema.optional(),
  ties: tiesSchema.optional(),
  'min-position': positionSchema.optional(),
};
export const readHeaders = { 'min-position': positionSchema.optional() };
export const readProblems = [
  'unknown-board',
  'invalid-period',
  'invalid-position',
  'position-ahead',
  'not-there-yet',
  'read-model-lost',
  'archive-lost',
  'archive-unknown',
];

interface ReadRequest {
  readonly query: {
    readonly leaderboard?: string | undefined;
    readonly period?: string | undefined;
    readonly ties?: 'standard' | 'dense' | undefined;
    readonly 'min-position'?: string | undefined;
  };
  readonly headers: { readonly 'min-position'?: string | undefined };
}

export function readOptions({ query, headers }: ReadRequest) {
  const minPosition = query['min-position'] ?? headers['min-position'];
  return {
    ...(query.leaderboard === undefined ? {} : { board: query.leaderboard }),
    ...(query.period === undefined ? {} : { period: query.period }),
    ...(query.ties === undefined ? {} : { ties: query.ties }),
    ...(minPosition === undefined ? {} : { minPosition }),
  };
}

/** What an answer is good for. */
export function readAt({
  asOf,
  exact,
  stale,
}: {
  readonly asOf: string;
  readonly exact?: false;
  readonly stale?: true;
}) {
  return { as_of: asOf, ...(exact === false ? { exact } : {}), ...(stale ? { stale } : {}) };
}

/**
 * A read as it is answered: what `show` makes of it, with the period and the checkpoint it is good for;
 * or the problem that it came to.
 */
export function answered<T, Body extends object>(
  read: Read<T>,
  show: (answer: Extract<Read<T>, { readonly kind: 'answer' }>) => Body | Problem,
):
  | (Body & {
      readonly period: string;
      readonly closed: boolean;
      readonly as_of: string;
      readonly exact?: false;
      readonly stale?: true;
    })
  | Problem {
  if (read.kind !== 'answer') return problemOf(read);
  const body = show(read);
  if (body instanceof Problem) return body;
  return { ...body, period: read.period, closed: read.closed, ...readAt(read) };
}
