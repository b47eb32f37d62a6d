import { createRequire } from 'node:module';

interface Connection {
  readonly bytesBuffered: number;
  /** While it logs in as brokers before 1.0 had it: answers have no frame. */
  readonly authHandlers: unknown;
  readonly socket: { destroy(error: Error): void };
  processData(data: Buffer): void;
}

const mended = Symbol.for('annals.kafkajs.connection');

/** Beyond what a broker answers to any request; text, taken for a size, is twice as much at least. */
const answerBytesMax = 0x10_00_00_00;
/** Each answer names the request that it belongs to. */
const answerBytesMin = 4;

/**
 * kafkajs 2.2.4 takes the first bytes of any server for the size of an answer. Of most it then waits for hundreds of
 * megabytes until its time is over, several times; a small number ends the process. Here such a connection is closed
 * with an error that says what is wrong. Throws when kafkajs has another shape.
 */
export function mendConnection(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/network/connection.js') as {
    prototype: Connection & { [mended]?: true };
  };
  if (prototype[mended]) return;
  const process = prototype.processData;
  if (typeof process !== 'function') {
    throw new Error('kafkajs has no connection as it was in 2.2.4');
  }
  prototype.processData = function (this: Connection, data: Buffer) {
    if (!this.authHandlers && this.bytesBuffered === 0 && !beginsAnAnswer(data)) {
      this.socket.destroy(new Error(noKafka));
      return;
    }
    try {
      process.call(this, data);
    } catch (error) {
      this.socket.destroy(new Error(noKafka, { cause: error }));
    }
  };
  prototype[mended] = true;
}

/** What is said of a server that answers in another language. */
export const noKafka = 'what answers there is no Kafka, or one that asks for TLS';

function beginsAnAnswer(data: Buffer): boolean {
  if (data.length < 4) return true;
  const bytes = data.readInt32BE(0);
  return bytes >= answerBytesMin && bytes <= answerBytesMax;
}
