import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { ISocketFactory } from 'kafkajs';

type Way = 'requests' | 'answers';

interface Connection {
  readonly client: Socket;
  readonly broker: Socket;
  readonly held: Map<Way, Buffer[]>;
}

/**
 * A proxy that can hold what connections carry, and let it go later, also when the client has long
 * hung up: what a bad network does to a request.
 */
export class HoldingProxy {
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #targets: { readonly host: string; readonly port: number }[] = [];
  #needle: Buffer | undefined;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (client) => this.#accept(client));
  }

  static async open(): Promise<HoldingProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new HoldingProxy(server);
  }

  /** Leads the client's connections through here. */
  readonly socketFactory: ISocketFactory = ({ host, port, onConnect }) => {
    this.#targets.push({ host, port });
    const { port: own } = this.#server.address() as AddressInfo;
    return connect(own, '127.0.0.1', onConnect);
  };

  /** Holds what the connections of this moment carry; new ones are not held. */
  hold(way: Way): void {
    for (const { held } of this.#connections) if (!held.has(way)) held.set(way, []);
  }

  /** Holds each request that contains `needle`, however often it is sent, and what follows on its connection. */
  holdRequestsWith(needle: Buffer): void {
    this.#needle = needle;
  }

  /** How many bytes are held. */
  heldBytes(): number {
    let bytes = 0;
    for (const { held } of this.#connections) {
      for (const parts of held.values()) for (const part of parts) bytes += part.length;
    }
    return bytes;
  }

  release(): void {
    this.#needle = undefined;
    for (const connection of this.#connections) {
      const { client, broker, held } = connection;
      for (const part of held.get('requests') ?? []) broker.write(part);
      for (const part of held.get('answers') ?? []) client.write(part);
      held.clear();
    }
  }

  close(): void {
    this.#server.close();
    for (const { client, broker } of this.#connections) {
      client.destroy();
      broker.destroy();
    }
  }

  #accept(client: Socket): void {
    const target = this.#targets.shift();
    // Somebody who was here before on this port, and calls again.
    if (!target) {
      client.destroy();
      return;
    }
    const broker = connect(target.port, target.host);
    const connection: Connection = { client, broker, held: new Map() };
    this.#connections.add(connection);
    const carry = (from: Socket, to: Socket, way: Way) => {
      from.on('data', (part: Buffer) => {
        if (way === 'requests' && this.#needle && part.includes(this.#needle)) {
          if (!connection.held.has(way)) connection.held.set(way, []);
        }
        const held = connection.held.get(way);
        if (held) held.push(part);
        else to.write(part);
      });
      from.on('error', () => undefined);
    };
    carry(client, broker, 'requests');
    carry(broker, client, 'answers');
    // The broker's side stays open for as long as something is held for it.
    client.on('close', () => {
      if (connection.held.size === 0) broker.end();
    });
    broker.on('close', () => client.destroy());
  }
}
