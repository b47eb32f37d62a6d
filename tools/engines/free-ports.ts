import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { EnginesError } from './errors.ts';

/**
 * Below the range that systems take for outgoing connections: nobody gets such a port by accident
 * while a stopped node waits to come back on it.
 */
const range = { from: 20_000, to: 32_768 } as const;
const attemptsMax = 1_000;

/** Different ports of 127.0.0.1 that nobody listens on at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; attempt < attemptsMax && ports.size < count; attempt += 1) {
    const port = randomInt(range.from, range.to);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  if (ports.size < count) throw new EnginesError('start-failed', 'there is no free port');
  return [...ports];
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () =>
      probe.close(() => resolve(true)),
    );
  });
}
