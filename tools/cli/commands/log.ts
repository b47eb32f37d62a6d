import type { Command } from 'commander';
import type { Act } from '../program.ts';
import { addLogBackup } from './log-backup.ts';
import { addLogCopy } from './log-copy.ts';
import { addLogExport } from './log-export.ts';
import { addLogImport } from './log-import.ts';
import { addLogReads } from './log-reads.ts';
import { addLogRelay } from './log-relay.ts';
import { addLogSnapshot } from './log-snapshot.ts';
import { addLogVerify } from './log-verify.ts';

export function addLogCommands(annals: Command, act: Act): void {
  const log = annals.command('log').description('reads, moves, checks and saves the event log');
  addLogReads(log, act);
  addLogExport(log, act);
  addLogImport(log, act);
  addLogBackup(log, act);
  addLogCopy(log, act);
  addLogRelay(log, act);
  addLogSnapshot(log, act);
  addLogVerify(log, act);
}
