import { connect } from 'node:net';

const answerMsMax = 5_000;
/** Opcodes of the native protocol, version 4. */
const opcode = {
  startup: 0x01,
  authenticate: 0x03,
  authResponse: 0x0f,
  authSuccess: 0x10,
} as const;
const headerBytes = 9;

/** Whether the node at this port lets this user in. */
export function logsIn(port: number, user: string, password: string): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = Buffer.alloc(0);
    const socket = connect({ port, host: '127.0.0.1' });
    const end = (isIn: boolean): void => {
      socket.destroy();
      resolve(isIn);
    };
    socket.setTimeout(answerMsMax, () => end(false));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
    socket.on('connect', () => socket.write(startup()));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length < headerBytes) return;
      const bytes = headerBytes + answer.readUInt32BE(5);
      if (answer.length < bytes) return;
      const said = answer[4];
      answer = answer.subarray(bytes);
      if (said === opcode.authenticate) socket.write(authResponse(user, password));
      else end(said === opcode.authSuccess);
    });
  });
}

function frame(code: number, body: Buffer): Buffer {
  const header = Buffer.from([0x04, 0, 0, 0, code, 0, 0, 0, 0]);
  header.writeUInt32BE(body.length, 5);
  return Buffer.concat([header, body]);
}

/** A map of strings with one entry. */
function startup(): Buffer {
  const text = (value: string): Buffer => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(value.length);
    return Buffer.concat([length, Buffer.from(value)]);
  };
  const options = Buffer.concat([Buffer.from([0, 1]), text('CQL_VERSION'), text('3.0.0')]);
  return frame(opcode.startup, options);
}

/** As SASL PLAIN has it. */
function authResponse(user: string, password: string): Buffer {
  const token = Buffer.from(`\0${user}\0${password}`);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(token.length);
  return frame(opcode.authResponse, Buffer.concat([length, token]));
}
