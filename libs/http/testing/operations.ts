/** What the checks read out of an OpenAPI 3.1 document. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly required?: readonly string[];
  readonly properties?: { readonly [name: string]: JsonSchema };
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly $ref?: string;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'path' | 'header';
  readonly required: boolean;
  readonly schema: JsonSchema;
}

export interface Operation {
  /** `GET /v1/scores/{user_id}` */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  /** Undefined for a public route. */
  readonly scope: string | undefined;
  readonly parameters: readonly Parameter[];
  readonly body: JsonSchema | undefined;
  readonly bodyBytesMax: number | undefined;
  readonly streams: boolean;
  /** All methods of this path in the document, upper case. */
  readonly pathMethods: readonly string[];
}

interface DocumentOperation {
  readonly parameters?: readonly (Omit<Parameter, 'required'> & { readonly required?: boolean })[];
  readonly requestBody?: {
    readonly content?: { readonly 'application/json'?: { readonly schema?: JsonSchema } };
  };
  readonly security?: readonly { readonly bearer?: readonly string[] }[];
  readonly responses?: { readonly 200?: { readonly content?: object } };
  readonly 'x-body-bytes-max'?: number;
}

export interface OpenApiDocument {
  readonly paths?: { readonly [path: string]: { readonly [method: string]: DocumentOperation } };
  readonly components?: { readonly schemas?: { readonly [name: string]: JsonSchema } };
}

const methods = ['get', 'post', 'put', 'patch', 'delete'];

/** Every operation of an OpenAPI document, references resolved. */
export function operationsOf(document: OpenApiDocument): Operation[] {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) => {
    const pathMethods = methods.filter((method) => item[method] !== undefined);
    return pathMethods.map((method) => {
      const operation = item[method] as DocumentOperation;
      const schema = operation.requestBody?.content?.['application/json']?.schema;
      return {
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path,
        scope: operation.security?.[0]?.bearer?.[0],
        parameters: (operation.parameters ?? []).map((parameter) => ({
          ...parameter,
          required: parameter.required ?? false,
          schema: resolve(document, parameter.schema),
        })),
        body: schema && resolve(document, schema),
        bodyBytesMax: operation['x-body-bytes-max'],
        streams: Object.hasOwn(operation.responses?.[200]?.content ?? {}, 'text/event-stream'),
        pathMethods: pathMethods.map((name) => name.toUpperCase()),
      };
    });
  });
}

/** The schema with references replaced, eight levels deep: deeper fields are not attacked. */
function resolve(document: OpenApiDocument, schema: JsonSchema, depth = 0): JsonSchema {
  if (depth > 8) return {};
  const below = (inner: JsonSchema) => resolve(document, inner, depth + 1);
  const name = schema.$ref?.replace('#/components/schemas/', '');
  if (name !== undefined) return below(document.components?.schemas?.[name] ?? {});
  const { properties, items, anyOf, oneOf, allOf } = schema;
  const entries = Object.entries(properties ?? {}).map(([key, value]) => [key, below(value)]);
  return {
    ...schema,
    ...(properties ? { properties: Object.fromEntries(entries) } : {}),
    ...(items ? { items: below(items) } : {}),
    ...(anyOf ? { anyOf: anyOf.map(below) } : {}),
    ...(oneOf ? { oneOf: oneOf.map(below) } : {}),
    ...(allOf ? { allOf: allOf.map(below) } : {}),
  };
}
