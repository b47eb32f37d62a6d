import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { createServer, route, stopOnSignals } from '../index.ts';

// A server in a process of its own, for the tests of signals. Prints its port; a request to /slow says
// "slow" when it began and is answered after the given time; says "closed" when it has closed all.

const slow = route({
  method: 'GET',
  url: '/slow/:ms',
  summary: 'Answers late',
  public: true,
  params: { ms: z.string().regex(/^\d{1,5}$/) },
  response: z.strictObject({ done: z.boolean() }),
  handler: async ({ params }) => {
    process.stdout.write('slow\n');
    await delay(Number(params.ms));
    return { done: true };
  },
});

const server = await createServer({
  api: { title: 'Stoppable', version: '1.0.0' },
  authenticator: { authenticate: () => ({ kind: 'rejected', reason: 'unknown' }) },
  routes: [slow],
  docs: false,
  log: false,
  processMetrics: false,
  closing: [{ name: 'log', close: () => void process.stdout.write('closed\n') }],
});
stopOnSignals(server);
const address = await server.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${new URL(address).port}\n`);
