import fastify from 'fastify';

/**
 * The least a fastify server can do: routes that answer fixed bytes, and one that parses a JSON body
 * and answers. Runs as a process of its own, tells its port to the parent, ends with it.
 */
export interface FromBareFastify {
  readonly port: number;
}

const [answer = '{}'] = process.argv.slice(2);
const app = fastify();
for (const path of ['/v1/scores', '/v1/scores/:user_id', '/v1/payments/:checkout_id']) {
  app.get(path, (_request, reply) => reply.type('application/json').send(answer));
}
app.post<{ Body: { points: number } }>('/v1/scores', (request) => ({
  total: request.body.points,
  position: '0:0000000000000001',
  duplicate: false,
}));
await app.listen({ host: '127.0.0.1', port: 0 });
const address = app.server.address();
const message: FromBareFastify = {
  port: typeof address === 'object' && address ? address.port : 0,
};
process.send?.(message);
process.on('disconnect', () => process.exit(0));
