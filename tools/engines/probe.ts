import { connect } from 'node:net';

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
  return new Promise((resolve) => {
    let answer = Buffer.alloc(0);
    const socket = connect({ port, host: '127.0.0.1' });
    const end = (value: T | undefined): void => {
      socket.destroy();
      resolve(value);
    };
    socket.setTimeout(answerMsMax, () => end(undefined));
    socket.on('error', () => end(undefined));
    socket.on('close', () => end(undefined));
    socket.on('connect', () => socket.write(request));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      const value = read(answer);
      if (value !== undefined || answer.length > answerBytesMax) end(value);
    });
  });
}
