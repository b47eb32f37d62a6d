import { z } from 'zod';
import {
  type Authenticator,
  createServer,
  defineErrors,
  type HttpServer,
  identifier,
  integerParameter,
  route,
} from './index.ts';

const errors = defineErrors('scores', {
  'unknown-player': {
    status: 404,
    title: 'The player has no score',
    detail: 'There is no score of {user_id}.',
    when: 'A score is asked for that nobody has recorded.',
  },
});

const Score = z.strictObject({ user_id: identifier(), points: z.int().min(0).max(1_000) });

export function scoreServer(authenticator: Authenticator): Promise<HttpServer> {
  const scores = new Map<string, number>();

  const record = route({
    method: 'POST',
    url: '/v1/scores',
    summary: 'Record a score',
    scope: 'scores:write',
    body: Score,
    response: Score,
    handler: ({ body }) => {
      scores.set(body.user_id, body.points);
      return body;
    },
  });

  const read = route({
    method: 'GET',
    url: '/v1/scores/:user_id',
    summary: "A player's score, times a factor",
    public: true,
    params: { user_id: identifier() },
    query: { factor: integerParameter({ min: 1, max: 10, default: 1 }) },
    response: Score,
    problems: ['unknown-player'],
    handler: ({ params: { user_id }, query }) => {
      const points = scores.get(user_id);
      if (points === undefined) return errors.problem('unknown-player', { user_id });
      return { user_id, points: points * query.factor };
    },
  });

  return createServer({
    api: { title: 'Scores', version: '1.0.0' },
    routes: [record, read],
    errors: [errors],
    authenticator,
  });
}
