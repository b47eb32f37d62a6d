import { limits } from './limits.ts';

/** One row of the table of errors: everything a client, the docs and the tests need to know of it. */
export interface ErrorRow {
  /** HTTP status, 400 to 599. */
  readonly status: number;
  /** What went wrong, the same for every occurrence (RFC 9457 §3.1.3). */
  readonly title: string;
  /** This occurrence, with `{name}` where a parameter goes (RFC 9457 §3.1.4). */
  readonly detail: string;
  /** When it is answered, for the docs. */
  readonly when: string;
}

/** Which field of which part of a request is wrong. */
export interface FieldProblem {
  readonly in: 'body' | 'query' | 'params' | 'headers';
  /** Path with dots (`scores.0.points`); empty for the part as a whole. */
  readonly field: string;
  readonly message: string;
}

export interface ProblemExtras {
  readonly headers?: { readonly [name: string]: string };
  readonly errors?: readonly FieldProblem[];
  /** More members of the answer (RFC 9457 §3.2). */
  readonly members?: { readonly [name: string]: unknown };
}

/**
 * A refusal on its way to the client as `application/problem+json` (RFC 9457). A handler returns it;
 * code further down may throw it. Made by the `problem` of an error table, never by hand.
 */
export class Problem extends Error {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly headers: { readonly [name: string]: string };
  readonly errors: readonly FieldProblem[] | undefined;
  readonly members: { readonly [name: string]: unknown } | undefined;

  constructor(code: string, row: ErrorRow, detail: string, extras: ProblemExtras = {}) {
    super(detail);
    this.name = 'Problem';
    this.code = code;
    this.status = row.status;
    this.title = row.title;
    this.headers = extras.headers ?? {};
    this.errors = extras.errors;
    this.members = extras.members;
  }
}

/** The names in braces of a template: `'{a} of {b}'` → `'a' | 'b'`. */
type Parameters<Template extends string> = Template extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Parameters<Rest>
  : never;

type Values<Template extends string> = {
  readonly [name in Parameters<Template>]: string | number;
};

type ProblemArguments<Template extends string> = [Parameters<Template>] extends [never]
  ? [values?: Values<Template>, extras?: ProblemExtras]
  : [values: Values<Template>, extras?: ProblemExtras];

export type ErrorRows = { readonly [code: string]: ErrorRow };

export interface ErrorTable<Rows extends ErrorRows = ErrorRows> {
  /** The package whose errors these are; a heading in the docs. */
  readonly name: string;
  readonly rows: Rows;
}

export interface Errors<Rows extends ErrorRows> extends ErrorTable<Rows> {
  /** The problem of a row, its template filled in. The compiler asks for exactly the template's parameters. */
  problem<Code extends keyof Rows & string>(
    code: Code,
    ...rest: ProblemArguments<Rows[Code]['detail']>
  ): Problem;
}

const codePattern = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** Declares a package's errors. Throws a TypeError for a code or a status that cannot be one. */
export function defineErrors<const Rows extends ErrorRows>(name: string, rows: Rows): Errors<Rows> {
  for (const [code, row] of Object.entries(rows)) {
    if (!codePattern.test(code)) throw new TypeError(`error code ${code} is not kebab-case`);
    if (!(row.status >= 400 && row.status <= 599)) {
      throw new TypeError(`error ${code} has status ${row.status}, not one of 400 to 599`);
    }
  }
  return {
    name,
    rows,
    problem: (code, ...[values, extras]) => {
      const row = rows[code] as ErrorRow;
      return new Problem(code, row, fill(row.detail, values ?? {}), extras);
    },
  };
}

function fill(template: string, values: { readonly [name: string]: string | number }): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => echo(String(values[name])));
}

/** A client's own text, cut to a length that is fit for an answer. */
export function echo(text: string): string {
  return text.length <= limits.echoCharsMax ? text : `${text.slice(0, limits.echoCharsMax)}…`;
}

/** Where a problem of this code is explained: the `type` of RFC 9457 §3.1.1, served by every server. */
export function problemPath(code: string): string {
  return `/problems/${code}`;
}

/** The body of the answer. */
export function problemJson(problem: Problem, requestId: string): string {
  return JSON.stringify({
    type: problemPath(problem.code),
    title: problem.title,
    status: problem.status,
    detail: problem.message,
    code: problem.code,
    request_id: requestId,
    errors: problem.errors,
    ...problem.members,
  });
}
