import { type BadValue, badValuesOf, branchesOf } from './bad-values.ts';
import type { JsonSchema, Operation, Parameter } from './operations.ts';

/** A request that a route takes. */
export interface Example {
  readonly params?: { readonly [name: string]: string | number };
  readonly query?: { readonly [name: string]: string | number };
  readonly headers?: { readonly [name: string]: string };
  readonly body?: unknown;
  /** The status it is answered with. Default: anything from 200 to 299. */
  readonly status?: number;
  /** Fields where control characters and long text are meant: `body.text`, `query.q`. */
  readonly freeText?: readonly string[];
}

export interface TestRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  readonly payload?: string | Buffer;
}

/** A request that must be refused, and how. */
export interface BadRequest extends TestRequest {
  readonly what: string;
  readonly statuses: readonly number[];
  /** The field that `errors` must name. Undefined where no field is at fault. */
  readonly at?: { readonly in: string; readonly field: string };
}

/** The example as a request, without a key. */
export function exampleRequest(operation: Operation, example: Example): TestRequest {
  const query = new URLSearchParams(queryPairs(example)).toString();
  const hasBody = example.body !== undefined;
  return {
    method: operation.method,
    url: pathOf(operation, example, {}) + (query === '' ? '' : `?${query}`),
    headers: {
      ...example.headers,
      ...(hasBody ? { 'content-type': 'application/json' } : {}),
    },
    ...(hasBody ? { payload: JSON.stringify(example.body) } : {}),
  };
}

/** Everything of this kind that the route must refuse, made from its part of the OpenAPI document. */
export function badRequestsOf(operation: Operation, example: Example): BadRequest[] {
  return [
    ...badQueries(operation, example),
    ...badPaths(operation, example),
    ...badHeaders(operation, example),
    ...badBodies(operation, example),
    ...wrongMethods(operation, example),
  ];
}

function pathOf(
  operation: Operation,
  example: Example,
  replaced: { readonly [name: string]: string },
): string {
  return operation.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const given = example.params?.[name];
    return replaced[name] ?? encodeURIComponent(String(given ?? ''));
  });
}

type Pair = [name: string, value: string];

function queryPairs(example: Example): Pair[] {
  return Object.entries(example.query ?? {}).map(([name, value]) => [name, String(value)]);
}

function isFreeText(example: Example, field: string): boolean {
  return example.freeText?.includes(field) ?? false;
}

// --- query, path, headers -----------------------------------------------------------------------

/** The text of a bad value in a URL, or undefined for values that are good text there. */
function asText(value: BadValue, schema: JsonSchema): string | undefined {
  if (value.json.startsWith('"')) {
    const text = JSON.parse(value.json) as string;
    // A number in quotes is how a URL has numbers; half a surrogate pair has no URL form.
    return value.what === 'a number in quotes' || !text.isWellFormed() ? undefined : text;
  }
  const isText = branchesOf(schema).some((branch) => branch.type === 'string');
  return isText ? undefined : value.json;
}

function badTexts(parameter: Parameter, example: Example, part: string) {
  const { schema, name } = parameter;
  return badValuesOf(schema, isFreeText(example, `${part}.${name}`)).flatMap((value) => {
    const text = asText(value, schema);
    // A boolean or an enum may well take what reads like another type; 7 is an integer's good value.
    const isGood = text === undefined || (value.json === '7' && !/integer|number/.test(value.what));
    return isGood ? [] : [{ what: value.what, text }];
  });
}

function badQueries(operation: Operation, example: Example): BadRequest[] {
  const good = exampleRequest(operation, example);
  const path = pathOf(operation, example, {});
  const withQuery = (what: string, field: string, pairs: readonly Pair[]): BadRequest => ({
    ...good,
    what: `query: ${what}`,
    url: `${path}?${new URLSearchParams([...pairs])}`,
    statuses: [400],
    at: { in: 'query', field },
  });
  const given = queryPairs(example);
  const bad = ['no_such_parameter', '__proto__', 'constructor'].map((name) =>
    withQuery(`${name} is no parameter`, name, [...given, [name, '1']]),
  );
  for (const parameter of operation.parameters.filter((one) => one.in === 'query')) {
    const { name, required } = parameter;
    const others = given.filter(([other]) => other !== name);
    const value = String(example.query?.[name] ?? '1');
    bad.push(withQuery(`${name} given twice`, name, [...others, [name, value], [name, value]]));
    if (required) bad.push(withQuery(`${name} missing`, name, others));
    for (const { what, text } of badTexts(parameter, example, 'query')) {
      bad.push(withQuery(`${name}: ${what}`, name, [...others, [name, text]]));
    }
  }
  return bad;
}

function badPaths(operation: Operation, example: Example): BadRequest[] {
  const good = exampleRequest(operation, example);
  const bad: BadRequest[] = [];
  for (const parameter of operation.parameters.filter((one) => one.in === 'path')) {
    const { name } = parameter;
    const withPath = (what: string, raw: string, statuses: readonly number[]): BadRequest => ({
      ...good,
      what: `path: ${name}: ${what}`,
      url: pathOf(operation, example, { [name]: raw }),
      statuses,
    });
    for (const { what, text } of badTexts(parameter, example, 'params')) {
      // An empty segment may be no route, or another one; what matters is that it is refused.
      const named = text === '' ? {} : { at: { in: 'params', field: name } };
      const statuses = text === '' ? [400, 404, 405] : [400];
      bad.push({ ...withPath(what, encodeURIComponent(text), statuses), ...named });
    }
    bad.push(withPath('half an escape', '%ZZ', [400]));
    bad.push(withPath('an escape that is not UTF-8', '%ED%A0%80', [400]));
  }
  return bad;
}

function badHeaders(operation: Operation, example: Example): BadRequest[] {
  const good = exampleRequest(operation, example);
  return operation.parameters
    .filter((parameter) => parameter.in === 'header')
    .flatMap((parameter) =>
      badTexts(parameter, example, 'headers')
        // A header cannot carry control characters in the first place.
        .filter(({ text }) => /^[\x20-\x7e]+$/.test(text))
        .map(({ what, text }) => ({
          ...good,
          what: `header: ${parameter.name}: ${what}`,
          headers: { ...good.headers, [parameter.name]: text },
          statuses: [400],
          at: { in: 'headers', field: parameter.name },
        })),
    );
}

// --- body ---------------------------------------------------------------------------------------

const malformedJson = ['{', '[1', '{"a":1,}', "{'a':1}", 'nul', 'undefined', 'NaN', '{"a":1}}'];

const wrongTypes = [
  'text/plain',
  'application/xml',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/jsonp',
  'nonsense',
];

function badBodies(operation: Operation, example: Example): BadRequest[] {
  const good = exampleRequest(operation, example);
  if (!operation.body) return operation.method === 'GET' ? [] : [unexpectedBody(good)];
  const withBody = (what: string, payload: string | Buffer, statuses = [400]): BadRequest => ({
    ...good,
    what: `body: ${what}`,
    headers: { 'content-type': 'application/json', ...good.headers },
    payload,
    statuses,
  });
  const text = JSON.stringify(example.body);
  const bad = malformedJson.map((json) => withBody(`malformed: ${json}`, json));
  bad.push(
    withBody('empty', ''),
    withBody('not UTF-8', Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xff])])),
    withBody('nested 20,000 deep', '['.repeat(20_000) + ']'.repeat(20_000), [400, 413]),
  );
  if (operation.bodyBytesMax !== undefined) {
    bad.push(withBody('too large', text.padEnd(operation.bodyBytesMax + 1), [413]));
  }
  for (const type of wrongTypes) {
    bad.push({
      ...withBody(`Content-Type ${type}`, text, [415]),
      headers: { ...good.headers, 'content-type': type },
    });
  }
  bad.push({
    ...withBody('Content-Encoding gzip', text, [415]),
    headers: { 'content-type': 'application/json', ...good.headers, 'content-encoding': 'gzip' },
  });
  if (isRecord(example.body)) {
    for (const [field, value] of Object.entries(example.body)) {
      const twice = `{${JSON.stringify(field)}:${JSON.stringify(value)},${text.slice(1)}`;
      bad.push({ ...withBody(`${field} twice`, twice), at: { in: 'body', field } });
    }
  }
  const attacks = badFields(operation.body, example, [], example.body);
  for (const { path, value } of attacks) {
    const field = path.join('.');
    const payload = withValue(example.body, path, value.json);
    // A text over its own limit may be over the body's, too, and is refused before it is read.
    const isTooLarge = Buffer.byteLength(payload) > (operation.bodyBytesMax ?? Number.MAX_VALUE);
    bad.push(
      isTooLarge
        ? withBody(`${field}: ${value.what}`, payload, [413])
        : { ...withBody(`${field}: ${value.what}`, payload), at: { in: 'body', field } },
    );
  }
  return [...bad, ...tooManyItems(operation.body, example, withBody)];
}

function unexpectedBody(good: TestRequest): BadRequest {
  return {
    ...good,
    what: 'body: unexpected',
    headers: { ...good.headers, 'content-type': 'application/json' },
    payload: '{"unexpected":1}',
    statuses: [400],
    at: { in: 'body', field: 'unexpected' },
  };
}

type Path = readonly (string | number)[];

interface Attack {
  readonly path: Path;
  readonly value: BadValue;
}

/** Removes the member, where `json` would set it. */
const removed = '\u0000removed';

/** Attacks on a field and everything below it, as far as the example has it. */
function badFields(schema: JsonSchema, example: Example, path: Path, given: unknown): Attack[] {
  const attacks: Attack[] = [];
  if (path.length > 0 || typeof given === 'object') {
    const freeText = isFreeText(example, ['body', ...path].join('.'));
    const values = badValuesOf(schema, freeText);
    // A body that is null is no body at all, and has its own answer.
    attacks.push(
      ...values
        .filter((value) => path.length > 0 || value.json !== 'null')
        .map((value) => ({ path, value })),
    );
  }
  for (const branch of branchesOf(schema)) {
    if (Array.isArray(given) && branch.items && given.length > 0) {
      attacks.push(...badFields(branch.items, example, [...path, 0], given[0]));
    } else if (isRecord(given) && branch.properties) {
      attacks.push(...badMembers(branch, example, path, given));
    }
  }
  return attacks;
}

function badMembers(
  schema: JsonSchema,
  example: Example,
  path: Path,
  given: { readonly [name: string]: unknown },
): Attack[] {
  const names = ['no_such_field', '__proto__', 'constructor'];
  const attacks: Attack[] = names.map((name) => ({
    path: [...path, name],
    value: { what: 'an unknown field', json: '{"a":1}' },
  }));
  for (const name of schema.required ?? []) {
    attacks.push({ path: [...path, name], value: { what: 'missing', json: removed } });
  }
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    attacks.push(...badFields(member, example, [...path, name], given[name]));
  }
  return attacks;
}

function isRecord(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The JSON text of `body` with the text `json` at `path`. */
function withValue(body: unknown, path: Path, json: string): string {
  const [step, ...rest] = path;
  if (step === undefined) return json;
  if (Array.isArray(body)) {
    const items = body.map((item, at) => (at === step ? withValue(item, rest, json) : text(item)));
    return `[${items}]`;
  }
  const members = new Map(
    Object.entries(body ?? {}).map(([name, value]) => [name, text(value)] as const),
  );
  const below = isRecord(body) && Object.hasOwn(body, step) ? body[step] : {};
  if (json === removed && rest.length === 0) members.delete(String(step));
  else members.set(String(step), withValue(below, rest, json));
  return `{${[...members].map(([name, value]) => `${JSON.stringify(name)}:${value}`)}}`;
}

function text(value: unknown): string {
  return JSON.stringify(value);
}

/** Lists longer than they may be. One without a limit is attacked with 100,001 items. */
function tooManyItems(
  schema: JsonSchema,
  example: Example,
  withBody: (what: string, payload: string, statuses: number[]) => BadRequest,
): BadRequest[] {
  return listsIn(schema, example.body, []).map(({ path, list, max }) => {
    const items = Array.from({ length: max + 1 }, (_, at) => text(list[at % list.length]));
    const json = withValue(example.body, path, `[${items}]`);
    return withBody(`${path.join('.')}: ${max + 1} items`, json, [400, 413]);
  });
}

function listsIn(
  schema: JsonSchema,
  given: unknown,
  path: Path,
): { readonly path: Path; readonly list: readonly unknown[]; readonly max: number }[] {
  return branchesOf(schema).flatMap((branch) => {
    if (Array.isArray(given) && branch.type === 'array' && given.length > 0) {
      const max = branch.maxItems ?? 100_000;
      const below = branch.items ? listsIn(branch.items, given[0], [...path, 0]) : [];
      return [{ path, list: given, max }, ...below];
    }
    if (!isRecord(given)) return [];
    return Object.entries(branch.properties ?? {}).flatMap(([name, member]) =>
      listsIn(member, given[name], [...path, name]),
    );
  });
}

// --- methods ------------------------------------------------------------------------------------

function wrongMethods(operation: Operation, example: Example): BadRequest[] {
  const others = ['PATCH', 'OPTIONS', 'TRACE'].filter(
    (method) => !operation.pathMethods.includes(method),
  );
  return others.map((method) => ({
    method,
    url: pathOf(operation, example, {}),
    headers: {},
    what: `method: ${method}`,
    statuses: [405],
  }));
}
