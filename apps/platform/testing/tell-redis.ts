import { connect } from 'node:net';
import type { Engine } from '@annals/core/testing';

/** A command of Redis by itself: the platform has no client of it. Gives the reply as it came. */
export function tellRedis(
  { addresses: [address = ''] }: Pick<Engine, 'addresses'>,
  command: string,
): Promise<string> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host as string, () => socket.write(`${command}\r\n`));
    socket.on('error', reject);
    socket.on('data', (reply) => {
      socket.destroy();
      resolve(reply.toString().trim());
    });
  });
}
