import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

const answerMsMax = 2_000;
const answerBytesMax = 1_000_000;

/**
 * Sends one request to a port of 127.0.0.1 and gives what `read` makes of the answer, which returns
 * undefined while there is not enough of it. Undefined when nobody answers so within two seconds.
 */
export function ask<T>(
  port: number,
  request: Uint8Array | string,
  read: (answer: Buffer) => T | undefined,
): Promise<T | undefined> {
  return answerOf(connect({ port, host: '127.0.0.1' }), 'connect', request, read);
}

/** The same over TLS. Whom the certificate names is for clients to see. */
export function askOverTls<T>(
  port: number,
  protocol: string,
  request: Uint8Array | string,
  read: (answer: Buffer) => T | undefined,
): Promise<T | undefined> {
  const how = { port, host: '127.0.0.1', ALPNProtocols: [protocol], rejectUnauthorized: false };
  return answerOf(connectTls(how), 'secureConnect', request, read);
}

function answerOf<T>(
  socket: Socket,
  ready: 'connect' | 'secureConnect',
  request: Uint8Array | string,
  read: (answer: Buffer) => T | undefined,
): Promise<T | undefined> {
  return new Promise((resolve) => {
    let answer = Buffer.alloc(0);
    const end = (value: T | undefined): void => {
      socket.destroy();
      resolve(value);
    };
    socket.setTimeout(answerMsMax, () => end(undefined));
    socket.on('error', () => end(undefined));
    socket.on('close', () => end(undefined));
    socket.on(ready, () => socket.write(request));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      const value = read(answer);
      if (value !== undefined || answer.length > answerBytesMax) end(value);
    });
  });
}
