import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { nodeOf, portOf } from './node-processes.ts';
import { statusOf } from './status.ts';
import { describeInOwnFolder } from './testing/own-folder.ts';
import { up } from './up.ts';

await describeInOwnFolder('cassandra', 'Cassandra', ({ site }) => {
  it('starts, and answers a query', async () => {
    const record = await up(site, 'cassandra');
    expect(record.url).toMatch(/^cassandra:\/\/127\.0\.0\.1:\d+\?datacenter=datacenter1$/);
    expect((await statusOf(site, record)).state).toBe('running');
    const version = await queried(
      portOf(nodeOf(record, 1)),
      'SELECT release_version, data_center FROM system.local',
    );
    expect(version).toContain('5.0.5');
    expect(version).toContain('datacenter1');
  });
});

/** What a connection of its own answers to one query, with STARTUP before it (native protocol, version 4). */
function queried(port: number, query: string): Promise<string> {
  const startup = frame(0x01, Buffer.concat([short(1), text('CQL_VERSION'), text('3.0.0')]));
  const length = Buffer.alloc(4);
  length.writeInt32BE(query.length);
  // Consistency ONE, no flags.
  const select = frame(0x07, Buffer.concat([length, Buffer.from(query), short(1), Buffer.of(0)]));
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(startup));
    socket.once('error', reject);
    let answer = Buffer.alloc(0);
    let asked = false;
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length < 9 || answer.length < 9 + answer.readInt32BE(5)) return;
      if (asked) {
        socket.destroy();
        resolve(answer.toString('latin1'));
      }
      asked = true;
      answer = Buffer.alloc(0);
      socket.write(select);
    });
  });
}

function frame(opcode: number, body: Buffer): Buffer {
  const head = Buffer.from([0x04, 0, 0, 0, opcode, 0, 0, 0, 0]);
  head.writeInt32BE(body.length, 5);
  return Buffer.concat([head, body]);
}

function short(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function text(value: string): Buffer {
  return Buffer.concat([short(value.length), Buffer.from(value)]);
}
