import { join } from 'node:path';
import { ask } from '../probe.ts';
import type { EngineKind } from './kind.ts';

/** No server of EventStoreDB can be installed here, so this is a test double of it: it needs Node.js only. */
export const eventstoredb: EngineKind = {
  nodes: 1,
  portsPerNode: 1,
  startMsMax: 60_000,
  stopMsMax: 10_000,
  programs: () =>
    Promise.resolve({
      configure: () => undefined,
      command: (node) => ({
        file: process.execPath,
        args: [
          join(import.meta.dirname, '../eventstoredb/server.ts'),
          node.folder,
          String(node.ports[0]),
        ],
      }),
    }),
  answers,
  isWhole: answers,
  url: (addresses) => `esdb://${addresses[0]}?tls=false`,
};

/** The connection preface of HTTP/2 with empty SETTINGS (type 4, RFC 9113) is answered by SETTINGS. */
async function answers(port: number): Promise<boolean> {
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  return (await ask(port, Buffer.concat([preface, settings]), (answer) => answer[3])) === 4;
}
