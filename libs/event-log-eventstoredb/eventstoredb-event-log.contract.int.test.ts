import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeOn } from '@annals/core/testing';
import { describeEventLog } from '@annals/event-log/contract';
import { eventstoredbEventLog } from './eventstoredb-event-log.ts';

await describeOn('eventstoredb', 'through the real client', ({ url: connection }) => {
  describeEventLog('The EventStoreDB log', {
    // Each child starts with an empty index and catches up first.
    kills: 10,
    site: async () => {
      const prefix = `contract_${randomUUID().slice(0, 13)}.`;
      const folder = mkdtempSync(join(tmpdir(), 'annals-esdb-'));
      return {
        open: () =>
          eventstoredbEventLog({
            connection,
            prefix,
            folder: mkdtempSync(join(folder, 'index-')),
          }),
        childProcess: {
          module: new URL('./testing/open-log.ts', import.meta.url).href,
          argument: JSON.stringify({ connection, prefix, folder }),
        },
        dispose: async () => rmSync(folder, { recursive: true, force: true }),
      };
    },
  });
});
