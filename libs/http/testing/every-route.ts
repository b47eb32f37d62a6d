import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpServer, operationsScope } from '../index.ts';
import type { Example } from './bad-requests.ts';
import { checkAccess, checkBadInput, checkExample, type RunningApi } from './checks.ts';
import { type OpenApiDocument, type Operation, operationsOf } from './operations.ts';

export interface EveryRouteOptions {
  /** Starts the API on a store of its own; called once. `close` after the last test. */
  open(): Promise<
    RunningApi & { readonly server: Pick<HttpServer, 'inject'>; close(): Promise<void> }
  >;
  /**
   * One good request for each route, in the order in which they are sent: `POST /v1/scores`,
   * `GET /v1/scores/{user_id}`. A route of the OpenAPI document without one fails the suite.
   */
  readonly examples: { readonly [route: string]: Example };
  /** A scope whose keys no route lets in. Default: for each route the scope of another one. */
  readonly outsiderScope?: string;
  /** The routes that are looked at; others have a suite of their own. All unless told. */
  readonly covers?: (route: string) => boolean;
}

/**
 * Tests every route of an API from its OpenAPI document: its example is answered well; calls without
 * a key, with a revoked one or another scope are refused; and so is every kind of bad input there is
 * for its schema, with a problem that names the field, and nothing written.
 */
export function describeEveryRoute(name: string, options: EveryRouteOptions): void {
  describe(`${name}: every route`, () => {
    let api: Awaited<ReturnType<EveryRouteOptions['open']>>;
    let operations: Map<string, Operation>;

    beforeAll(async () => {
      api = await options.open();
      const answer = await api.server.inject('/openapi.json');
      const { covers = () => true } = options;
      const found = operationsOf(answer.json<OpenApiDocument>()).filter(({ name: route }) =>
        covers(route),
      );
      operations = new Map(found.map((operation) => [operation.name, operation]));
    });
    afterAll(() => api?.close());

    it('has an example for every route, and a route for every example', () => {
      expect(Object.keys(options.examples).toSorted()).toEqual([...operations.keys()].toSorted());
    });

    for (const [route, example] of Object.entries(options.examples)) {
      describe(route, () => {
        const operation = () => {
          const found = operations.get(route);
          if (!found) throw new Error(`${route} is not in the OpenAPI document`);
          return found;
        };

        it('answers its example', async () => {
          expect(await checkExample(api, operation(), example)).toEqual([]);
        });

        it('lets in only keys with its scope', async () => {
          const scopes = [...operations.values()].flatMap((one) => one.scope ?? []);
          const ofAnother = scopes.find((scope) => scope !== operation().scope);
          const other = options.outsiderScope ?? ofAnother ?? operationsScope;
          expect(await checkAccess(api, operation(), example, other)).toEqual([]);
        });

        it('refuses bad input by name and writes nothing', { timeout: 120_000 }, async () => {
          const { requests, failures } = await checkBadInput(api, operation(), example);
          expect(failures).toEqual([]);
          expect(requests).toBeGreaterThan(3);
        });
      });
    }
  });
}
