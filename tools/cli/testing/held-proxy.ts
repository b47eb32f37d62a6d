import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A way to a server that can be blocked: connections stay open, and nothing comes through. */
export interface HeldProxy {
  /** `host:port` of this end. */
  readonly address: string;
  hold(): void;
  release(): void;
}

/** Leads to the server at `address`, `host:port`. */
export async function heldProxy(address: string): Promise<HeldProxy> {
  const [host = '', port] = address.split(':');
  const sockets = new Set<Socket>();
  let isHeld = false;
  const server = createServer((client) => {
    const target = connect(Number(port), host);
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(from);
      if (isHeld) from.pause();
      from.on('data', (part) => to.write(part));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold: () => {
      isHeld = true;
      for (const socket of sockets) socket.pause();
    },
    release: () => {
      isHeld = false;
      for (const socket of sockets) socket.resume();
    },
  };
}
