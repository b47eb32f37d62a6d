import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeSubjectKeyStore } from '../contract/index.ts';
import { sqliteSubjectKeyStore } from './sqlite-subject-key-store.ts';

describeSubjectKeyStore('the SQLite store', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'annals-keys-'));
  const masterKey = Buffer.alloc(32, 1);
  return {
    open: () => sqliteSubjectKeyStore({ folder, masterKey }),
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
});
