import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeEventLog } from '@annals/event-log/contract';
import { sqliteEventLog } from './sqlite-event-log.ts';

describeEventLog('The SQLite log', {
  site: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'annals-log-'));
    return {
      open: () => sqliteEventLog({ folder }),
      childProcess: {
        module: new URL('./testing/open-log.ts', import.meta.url).href,
        argument: folder,
      },
      dispose: async () => rmSync(folder, { recursive: true, force: true }),
    };
  },
});
