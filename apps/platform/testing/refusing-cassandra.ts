import { createServer, type Socket } from 'node:net';

export interface RefusingCassandra {
  readonly port: number;
  /** Each user and password that was tried, apart by a blank, once. */
  passwords(): readonly string[];
  close(): void;
}

/** Opcodes and the error of the native protocol, version 4. */
const startup = 0x01;
const authenticate = 0x03;
const options = 0x05;
const supported = 0x06;
const authResponse = 0x0f;
const failed = 0x00;
const badCredentials = 0x01_00;
const headerBytes = 9;

/**
 * As much of Cassandra as a wrong password meets: it asks for one, as PasswordAuthenticator does, and refuses
 * whatever it is told. For tests: a second Cassandra takes long to start, and more than a gigabyte.
 */
export async function refusingCassandra(): Promise<RefusingCassandra> {
  const tried = new Set<string>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    let waiting = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      waiting = Buffer.concat([waiting, chunk]);
      while (waiting.length >= headerBytes) {
        const end = headerBytes + waiting.readInt32BE(5);
        if (waiting.length < end) return;
        answer(socket, waiting.subarray(0, end), tried);
        waiting = waiting.subarray(end);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    port: (server.address() as { port: number }).port,
    passwords: () => [...tried],
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function answer(socket: Socket, request: Buffer, tried: Set<string>): void {
  const opcode = request[4];
  const body = request.subarray(headerBytes);
  const say = (kind: number, ...parts: readonly Uint8Array[]) => {
    const said = Buffer.concat(parts);
    // A driver that tries a newer version first is answered in this one.
    const header = Buffer.from([0x84, 0, request[2] ?? 0, request[3] ?? 0, kind, 0, 0, 0, 0]);
    header.writeInt32BE(said.length, 5);
    socket.write(Buffer.concat([header, said]));
  };
  if (opcode === options) say(supported, short(0));
  else if (opcode === startup) {
    say(authenticate, text('org.apache.cassandra.auth.PasswordAuthenticator'));
  } else if (opcode === authResponse) {
    // SASL PLAIN: an empty name, the user and the password, each behind a zero.
    const [, user, password] = body.subarray(4).toString().split('\0');
    tried.add(`${user} ${password}`);
    const code = Buffer.alloc(4);
    code.writeInt32BE(badCredentials);
    say(failed, code, text('Provided username and/or password are incorrect'));
  }
}

function short(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([short(value.length), Buffer.from(value)]);
}
