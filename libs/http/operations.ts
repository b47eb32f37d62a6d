import type { FastifyInstance, FastifyReply } from 'fastify';
import { httpErrors } from './errors.ts';
import type { GateKeeper } from './gate.ts';
import { limits } from './limits.ts';
import { loggableError } from './log.ts';
import type { Problem } from './problem.ts';

export type Readiness =
  | { readonly kind: 'ready' }
  /** It can be sent requests, and does not serve all of them. `detail` as below. */
  | { readonly kind: 'degraded'; readonly detail: string }
  /** `detail` is shown to whoever asks: say what is missing and the command that repairs it. */
  | { readonly kind: 'not-ready'; readonly detail: string };

/** One thing an app needs to do its work. */
export interface ReadinessCheck {
  readonly name: string;
  /** May throw; that counts as not ready. Has `limits.readinessMsMax`. */
  check(): Readiness | Promise<Readiness>;
}

/** The scope of a key that may scrape from another machine; `@annals/iam` has it in its table. */
export const operationsScope = 'ops:read';

/**
 * `/healthz` (the process answers), `/readyz` (it can be sent requests; 503 while it stops) and
 * `/metrics` (Prometheus text). Without a key from this machine, or from anywhere if the app says so.
 */
export function serveOperations(
  app: FastifyInstance,
  keeper: GateKeeper,
  checks: readonly ReadinessCheck[],
  access: 'loopback' | 'anyone',
): void {
  const config =
    access === 'anyone'
      ? ({ public: true, unlimited: true } as const)
      : ({ scope: operationsScope, publicOnLoopback: true, unlimited: true } as const);

  app.get('/healthz', { config }, () => ({ status: 'alive' }));

  app.get('/readyz', { config }, async (_request, reply) => {
    const answers = await Promise.all(checks.map((check) => run(app, check)));
    if (keeper.stopping) answers.push({ name: 'server', ready: false, detail: 'it is stopping' });
    if (!answers.every((answer) => answer.ready)) return notReady(reply, answers);
    const status = answers.some((answer) => answer.degraded) ? 'degraded' : 'ready';
    return { status, checks: answers };
  });

  app.get('/metrics', { config }, async (_request, reply) => {
    const { registry } = keeper.metrics;
    reply.header('content-type', registry.contentType);
    return registry.metrics();
  });
}

interface CheckAnswer {
  readonly name: string;
  readonly ready: boolean;
  readonly degraded?: true;
  readonly detail?: string;
}

async function run(app: FastifyInstance, check: ReadinessCheck): Promise<CheckAnswer> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), limits.readinessMsMax);
  try {
    const found = await Promise.race([check.check(), late.promise]);
    if (!found) {
      return { name: check.name, ready: false, detail: `no answer in ${limits.readinessMsMax} ms` };
    }
    switch (found.kind) {
      case 'ready':
        return { name: check.name, ready: true };
      case 'degraded':
        return { name: check.name, ready: true, degraded: true, detail: found.detail };
      case 'not-ready':
        return { name: check.name, ready: false, detail: found.detail };
    }
  } catch (error) {
    app.log.error({ err: loggableError(error), check: check.name }, 'readiness check failed');
    return { name: check.name, ready: false, detail: 'the check failed; the log says how' };
  } finally {
    clearTimeout(timer);
  }
}

function notReady(reply: FastifyReply, answers: readonly CheckAnswer[]): Problem {
  reply.header('cache-control', 'no-store');
  const failed = answers.filter((answer) => !answer.ready).map((answer) => answer.name);
  return httpErrors.problem(
    'not-ready',
    { failed: failed.join(', ') },
    { headers: { 'retry-after': '1' }, members: { checks: answers } },
  );
}
