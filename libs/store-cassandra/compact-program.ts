import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { CompactTables } from './cassandra-generation.ts';
import { storeError } from './errors.ts';
import { limits } from './limits.ts';

const run = promisify(execFile);

/**
 * Compacts by a program of the operator's: it is given the tables, each with its keyspace, and ends with 0 when every
 * node has flushed and garbage-collected them. Whatever else it does is a CassandraStoreError `io`, with what it said.
 */
export function compactByProgram(
  program: string,
  timeoutMs: number = limits.compactMsMax,
): CompactTables {
  return async (tables) => {
    try {
      await run(program, [...tables], { timeout: timeoutMs, maxBuffer: limits.compactOutputBytes });
    } catch (error) {
      throw storeError('io', `${program}: ${saidBy(error)}`, error);
    }
  };
}

function saidBy(error: unknown): string {
  const { stderr, killed, code } = error as {
    readonly stderr?: string;
    readonly killed?: boolean;
    readonly code?: unknown;
  };
  if (killed) return 'it took too long';
  const last = stderr?.trim().split('\n').at(-1);
  return last ? `${last} (exit code ${code})` : `exit code ${code}`;
}
