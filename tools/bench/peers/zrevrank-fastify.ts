import fastify from 'fastify';
import { Redis } from 'ioredis';
import type { FromBareFastify } from './bare-fastify.ts';

/**
 * The least that answers a rank from Redis: a bare fastify route with one ZREVRANK. Arguments: the port of
 * Redis, the key of the sorted set. Runs as a process of its own, tells its port to the parent, ends with it.
 */
const [redisPort = '', key = ''] = process.argv.slice(2);
const redis = new Redis(Number(redisPort), '127.0.0.1', { enableAutoPipelining: true });
const app = fastify();
app.get<{ Params: { user_id: string } }>('/v1/scores/:user_id', async ({ params }, reply) => {
  const rank = await redis.zrevrank(key, params.user_id);
  if (rank === null) return reply.code(404).send({});
  return { user_id: params.user_id, rank: rank + 1 };
});
await app.listen({ host: '127.0.0.1', port: 0 });
const address = app.server.address();
const message: FromBareFastify = {
  port: typeof address === 'object' && address ? address.port : 0,
};
process.send?.(message);
process.on('disconnect', () => process.exit(0));
