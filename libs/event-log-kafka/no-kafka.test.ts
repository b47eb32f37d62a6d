import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { kafkaEventLog } from './index.ts';
import { freshFolder } from './testing/fresh-follower.ts';

/** A server in another language than Kafka's; gives its address. */
async function serverThat(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { readonly port: number };
  return `127.0.0.1:${port}`;
}

const answers = (bytes: Buffer | string) => (socket: Socket) => {
  socket.on('data', () => void socket.write(bytes));
};

test.each<[string, (socket: Socket) => void, RegExp]>([
  ['greets in text', (socket) => socket.write('220 mail.example ESMTP ready\r\n'), /no Kafka/],
  ['answers in text', answers('-ERR unknown command\r\n'), /no Kafka/],
  ['answers with a page', answers('HTTP/1.1 400 Bad Request\r\n\r\n'), /no Kafka/],
  ['answers with an alert of TLS', answers(Buffer.from('15030300020246', 'hex')), /asks for TLS/],
  // Taken for sizes these ended the process.
  ['answers with zeros', answers(Buffer.alloc(64)), /no Kafka/],
  ['answers with too little', answers(Buffer.from('000000020102', 'hex')), /no Kafka/],
  ['answers in pieces', answers(Buffer.from('00000005')), /no Kafka/],
  ['says nothing', () => undefined, /gives no answer: is it a Kafka\?$/],
  ['says what it hears', (socket) => socket.pipe(socket), /gives no answer: is it a Kafka\?$/],
  ['closes', (socket) => socket.destroy(), /Closed connection/],
])(
  'an address that is no Kafka and %s is unreachable, and the message says why',
  async (_, on, why) => {
    const address = await serverThat(on);
    const opening = kafkaEventLog({
      ...{ connection: { brokers: [address] }, topic: 'nothing', folder: freshFolder() },
    });
    const error = await opening.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'EventLogError', code: 'unreachable' });
    const { message } = error as Error;
    expect(message).toMatch(why);
    expect(message.startsWith(`Kafka at ${address}: `)).toBe(true);
    expect(message).not.toContain('\n');
  },
);
