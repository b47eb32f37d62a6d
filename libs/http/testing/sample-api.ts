import { z } from 'zod';
import {
  type Authenticator,
  createServer,
  defineErrors,
  eventStream,
  type HttpServer,
  identifier,
  integerParameter,
  lineOfText,
  Problem,
  route,
  type ServerOptions,
  timestamp,
} from '../index.ts';
import type { RunningApi } from './checks.ts';

/** Keys in memory, for this package's own tests. */
export class SampleKeys implements Authenticator {
  readonly #scopes = new Map<string, readonly string[]>();
  readonly #revoked = new Set<string>();

  issueKey(scopes: readonly string[]): string {
    const token = `key-${this.#scopes.size}-${'x'.repeat(20)}`;
    this.#scopes.set(token, scopes);
    return token;
  }

  revokeKey(token: string): void {
    this.#revoked.add(token);
  }

  authenticate(token: string) {
    const scopes = this.#scopes.get(token);
    if (!scopes) return { kind: 'rejected', reason: 'unknown' } as const;
    if (this.#revoked.has(token)) return { kind: 'rejected', reason: 'revoked' } as const;
    return { kind: 'authenticated', keyId: token.slice(0, 6), name: 'sample', scopes } as const;
  }
}

export const sampleErrors = defineErrors('sample', {
  'score-conflict': {
    status: 409,
    title: 'The match has another score',
    detail: 'The match {match_id} has {points} points already.',
    when: 'The same match is sent again with other points.',
  },
});

const Score = z.strictObject({
  user_id: identifier(),
  points: z.int().min(-1_000_000).max(1_000_000),
  match_id: identifier({ charsMax: 64 }),
  mode: z.enum(['ranked', 'casual']).optional(),
  occurred_at: timestamp().optional(),
  note: lineOfText({ charsMax: 20_000 }).nullable().optional(),
});

interface SampleStore {
  readonly scores: Map<string, number>;
  writes: number;
}

function scoreRoutes(store: SampleStore) {
  const Total = z.strictObject({ total: z.int(), duplicate: z.boolean() });
  return [
    route({
      method: 'POST',
      url: '/v1/scores',
      summary: 'Record a score',
      scope: 'scores:write',
      body: Score,
      response: Total,
      problems: ['score-conflict'],
      handler: async ({ body }) => {
        const known = store.scores.get(body.match_id);
        if (known !== undefined && known !== body.points) {
          const { match_id } = body;
          return sampleErrors.problem('score-conflict', { match_id, points: known });
        }
        store.scores.set(body.match_id, body.points);
        store.writes += 1;
        return { total: body.points, duplicate: known !== undefined };
      },
    }),
    route({
      method: 'POST',
      url: '/v1/scores/batch',
      summary: 'Record scores',
      scope: 'scores:write',
      body: z.strictObject({ scores: z.array(Score).min(1).max(50) }),
      bodyBytesMax: 20_000,
      response: z.strictObject({ stored: z.int() }),
      handler: ({ body }) => {
        store.writes += 1;
        return { stored: body.scores.length };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/scores/:match_id',
      summary: 'One score',
      public: true,
      params: { match_id: identifier({ charsMax: 64 }) },
      query: {
        around: integerParameter({ min: 0, max: 50, default: 4 }),
        ties: z.enum(['standard', 'dense']).optional(),
      },
      response: z.strictObject({ points: z.int(), around: z.int() }),
      handler: ({ params, query }) => ({
        points: store.scores.get(params.match_id) ?? 0,
        around: query.around,
      }),
    }),
    route({
      method: 'DELETE',
      url: '/v1/scores/:match_id',
      summary: 'Remove a score',
      scope: 'scores:admin',
      params: { match_id: identifier({ charsMax: 64 }) },
      handler: ({ params }, reply) => {
        store.scores.delete(params.match_id);
        store.writes += 1;
        return reply.code(204).send();
      },
    }),
  ];
}

const live = route({
  method: 'GET',
  url: '/v1/live',
  summary: 'Scores as they come',
  scope: 'scores:read',
  streams: true,
  query: { top: integerParameter({ min: 1, max: 100, default: 10 }) },
  handler: ({ query }, reply) => {
    const stream = eventStream(reply, { retryMs: 1_000 });
    if (stream instanceof Problem) return stream;
    stream.send({ id: '1', event: 'top', data: JSON.stringify({ top: query.top }) });
    return reply;
  },
});

export interface SampleApi extends RunningApi {
  readonly server: HttpServer;
  issueKey(scopes: readonly string[]): string;
  close(): Promise<void>;
}

/** A small product on this kit: what its tests, and the tests of the suites for products, run on. */
export async function openSampleApi(options: Partial<ServerOptions> = {}): Promise<SampleApi> {
  const store: SampleStore = { scores: new Map(), writes: 0 };
  const keys = new SampleKeys();
  const server = await createServer({
    api: { title: 'Sample', version: '1.0.0' },
    authenticator: keys,
    errors: [sampleErrors],
    log: false,
    docs: false,
    processMetrics: false,
    checkResponses: true,
    ...options,
    routes: [...scoreRoutes(store), live, ...(options.routes ?? [])],
  });
  return {
    server,
    issueKey: (scopes) => keys.issueKey(scopes),
    revokeKey: (token) => keys.revokeKey(token),
    stored: () => store.writes,
    close: () => server.stop(),
  };
}
