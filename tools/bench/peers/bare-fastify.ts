import fastify from 'fastify';

/**
 * The least a fastify server can do: one route that answers fixed bytes, one that parses a JSON body
 * and answers. Runs as a process of its own, tells its port to the parent, ends with it.
 */
const [answer = '{}'] = process.argv.slice(2);
const app = fastify();
app.get('/fixed', (_request, reply) => reply.type('application/json').send(answer));
app.post<{ Body: { points: number } }>('/parse', (request) => ({
  total: request.body.points,
  position: '0:0000000000000001',
  duplicate: false,
}));
await app.listen({ host: '127.0.0.1', port: 0 });
const address = app.server.address();
process.send?.({ port: typeof address === 'object' ? address?.port : 0 });
process.on('disconnect', () => process.exit(0));
