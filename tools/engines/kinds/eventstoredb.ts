import { join } from 'node:path';
import { certificateFiles, makeCertificates } from '../eventstoredb/certificates.ts';
import { administrator } from '../eventstoredb/users.ts';
import { ask, askOverTls } from '../probe.ts';
import { program } from '../programs.ts';
import type { Command, EngineKind, NodeSite } from './kind.ts';

/** No server of EventStoreDB can be installed here, so this is a test double of it: it needs Node.js only. */
export const eventstoredb: EngineKind = {
  nodes: 1,
  portsPerNode: 1,
  startMsMax: 60_000,
  stopMsMax: 10_000,
  programs: () =>
    Promise.resolve({ configure: () => undefined, command: (node) => double(node, 'insecure') }),
  answers,
  isWhole: answers,
  url: (addresses) => `esdb://${addresses[0]}?tls=false`,
};

/** The same over TLS, with a certificate of an authority of its own, for the administrator only. */
export const eventstoredbTls: EngineKind = {
  ...eventstoredb,
  programs: async ({ env }) => {
    const openssl = program('openssl', env);
    return {
      configure: ({ folder }) => makeCertificates(openssl, folder),
      command: (node) => double(node, 'tls'),
    };
  },
  answers: answersOverTls,
  isWhole: answersOverTls,
  url: ([address = ''], [folder = '']) => {
    // By its name: an address is no server name in TLS, and Node.js prints a warning for one.
    const host = address.replace('127.0.0.1', 'localhost');
    const authority = encodeURIComponent(certificateFiles(folder).authority);
    const { user, password } = administrator;
    return `esdb://${user}:${password}@${host}?tls=true&tlsCAFile=${authority}`;
  },
};

function double(node: NodeSite, how: 'insecure' | 'tls'): Command {
  const server = join(import.meta.dirname, '../eventstoredb/server.ts');
  return { file: process.execPath, args: [server, node.folder, String(node.ports[0]), how] };
}

/** The connection preface of HTTP/2 with empty SETTINGS (type 4, RFC 9113) is answered by SETTINGS. */
const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);
const settings = 4;

async function answers(port: number): Promise<boolean> {
  return (await ask(port, preface, (answer) => answer[3])) === settings;
}

async function answersOverTls(port: number): Promise<boolean> {
  return (await askOverTls(port, 'h2', preface, (answer) => answer[3])) === settings;
}
