import { isUtf8 } from 'node:buffer';
import { httpErrors } from './errors.ts';
import { findJsonFault } from './json-fault.ts';
import { echo, type Problem } from './problem.ts';
import { membersIn, repeatedMember } from './repeated-member.ts';

/** Names that would reach into prototypes of the objects they are copied to. */
const forbiddenNames = ['__proto__', 'constructor'];

/** Whether a forbidden name may be in the text, also written with escapes. Cheap: most bodies have nothing like it. */
function isSuspicious(text: string): boolean {
  return text.includes('__proto__') || text.includes('constructor') || text.includes('\\u00');
}

/**
 * The value of a JSON body (RFC 8259), or the problem to answer. Numbers too large for a double come
 * out as Infinity, which no schema takes.
 */
export function parseJsonBody(body: Buffer): { readonly value: unknown } | Problem {
  if (!isUtf8(body)) return malformed(body.toString('utf8'));
  const text = body.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return malformed(text);
  }
  const forbidden = isSuspicious(text) ? forbiddenField(value) : undefined;
  if (forbidden !== undefined) {
    return misnamed('The body has a name that is never allowed.', forbidden, 'is never allowed');
  }
  // Counting is cheap; only where one is missing the text is looked through.
  const repeated = membersIn(text) === membersOf(value) ? undefined : repeatedMember(text);
  if (repeated === undefined) return { value };
  return misnamed(`body: ${repeated}: given more than once`, repeated, 'given more than once');
}

function misnamed(what: string, field: string, message: string): Problem {
  const errors = [{ in: 'body', field: echo(field), message }] as const;
  return httpErrors.problem('invalid-input', { what }, { errors });
}

/** The members of all objects in a value. Without recursion: a body may be nested thousands deep. */
function membersOf(root: unknown): number {
  let members = 0;
  const open: unknown[] = [root];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    const values = Object.values(next);
    if (!Array.isArray(next)) members += values.length;
    for (const value of values) if (typeof value === 'object') open.push(value);
  }
  return members;
}

function malformed(text: string): Problem {
  const { line, column, field } = findJsonFault(text);
  const message = `not JSON at line ${line}, column ${column}`;
  return httpErrors.problem(
    'malformed-json',
    { line, column },
    { errors: [{ in: 'body', field: echo(field), message }] },
  );
}

/** The path of the first member with a forbidden name. Without recursion: a body may be nested thousands deep. */
function forbiddenField(root: unknown): string | undefined {
  const open: { readonly value: unknown; readonly path: string }[] = [{ value: root, path: '' }];
  for (let next = open.pop(); next; next = open.pop()) {
    if (typeof next.value !== 'object' || next.value === null) continue;
    for (const [name, value] of Object.entries(next.value)) {
      const path = next.path === '' ? name : `${next.path}.${name}`;
      if (forbiddenNames.includes(name)) return path;
      open.push({ value, path });
    }
  }
  return undefined;
}
