import type { z } from 'zod';

/** What this needs of a schema's or a check's definition; zod types each kind by itself. */
interface Definition {
  readonly type?: string;
  readonly check?: string;
  readonly checks?: readonly z.core.$ZodCheck[];
  readonly shape?: { readonly [name: string]: z.core.$ZodType };
  readonly element?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly out?: z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
  readonly format?: string;
  readonly value?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

type Say = (issue: z.core.$ZodRawIssue) => string;

/**
 * The messages of a schema's issues, where the schema has none of its own: zod's speak of its types
 * ("expected int, received number"), and of one bound at a time. These say what the field must be.
 */
export function wordingOf(schema: z.core.$ZodType): Say {
  const owners = new WeakMap<object, Definition>();
  adopt(schema, owners, new Set());
  return (issue) => say(issue, owners.get(issue.inst ?? issue) ?? {});
}

function definitionOf({ _zod }: { readonly _zod: { readonly def: object } }): Definition {
  return _zod.def;
}

/** Notes of each schema, and of each of its checks, whose definition it belongs to. */
function adopt(
  schema: z.core.$ZodType,
  owners: WeakMap<object, Definition>,
  seen: Set<z.core.$ZodType>,
): void {
  if (seen.has(schema)) return;
  seen.add(schema);
  const own = definitionOf(schema);
  owners.set(schema, own);
  for (const check of own.checks ?? []) owners.set(check, own);
  const { shape = {}, element, innerType, in: from, out, options = [] } = own;
  for (const below of [...Object.values(shape), element, innerType, from, out, ...options]) {
    if (below) adopt(below, owners, seen);
  }
}

function say(issue: z.core.$ZodRawIssue, owner: Definition): string {
  if (issue.code === 'invalid_value') {
    if (issue.input === undefined) return 'is missing';
    return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
  }
  if (issue.code === 'invalid_type' || issue.code === 'invalid_union') {
    if (issue.input === undefined) return 'is missing';
  }
  if (issue.code === 'invalid_format') return formatWords(issue.format);
  if (issue.code === 'too_small' || issue.code === 'too_big' || issue.code === 'invalid_type') {
    return kindWords(owner);
  }
  return 'is not valid';
}

function formatWords(format: string): string {
  switch (format) {
    case 'datetime':
      return 'must be a time in ISO 8601 with a zone, as in 2026-11-24T12:00:00Z';
    case 'url':
      return 'must be a URL';
    default:
      return 'is not of the right form';
  }
}

function kindWords(owner: Definition): string {
  switch (owner.type) {
    case 'number': {
      const kind = owner.format === undefined ? 'number' : 'whole number';
      return `must be a ${kind}${rangeOf(owner, 'greater_than', 'less_than', 'from ', '')}`;
    }
    case 'string':
      return `must be text${rangeOf(owner, 'min_length', 'max_length', 'of ', ' characters')}`;
    case 'array':
      return `must be a list${rangeOf(owner, 'min_length', 'max_length', 'of ', ' items')}`;
    case 'boolean':
      return 'must be true or false';
    case 'object':
    case 'record':
      return 'must be an object';
    default:
      return 'is not of the right type';
  }
}

/** The bounds that the checks of a schema set; empty where there are none. */
function rangeOf(
  { checks = [] }: Definition,
  lower: string,
  upper: string,
  before: string,
  unit: string,
): string {
  const bounds = checks.map(definitionOf);
  const low = bounds.find(({ check }) => check === lower);
  const high = bounds.find(({ check }) => check === upper);
  const [min, max] = [low?.value ?? low?.minimum, high?.value ?? high?.maximum];
  if (min !== undefined && max !== undefined) return ` ${before}${min} to ${max}${unit}`;
  if (min !== undefined) return ` ${before}${min}${unit} or more`;
  return max === undefined ? '' : ` ${before}at most ${max}${unit}`;
}
