import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder, openIn } from './testing/fresh-log.ts';
import { testNeeding } from './testing/needs.ts';
import { runChild } from './testing/run-child.ts';
import { type Acknowledgement, acknowledgementsIn } from './testing/syscall-trace.ts';

const appends = 12;

/** Runs `script` under strace, and reads off the trace what happened before each acknowledgement. */
async function trace(script: URL): Promise<Acknowledgement[]> {
  const folder = freshFolder();
  const traceFile = join(freshFolder(), 'trace');
  const end = await runChild(script, {
    arguments: [folder, String(appends)],
    under: ['strace', '-f', '-y', '-o', traceFile, '-e', 'trace=fsync,fdatasync,pwrite64,write'],
  });
  expect(end).toMatchObject({ code: 0, err: '' });
  return acknowledgementsIn(readFileSync(traceFile, 'utf8'), 'events.sqlite-wal');
}

const noStrace = straceProblem();

function straceProblem(): string | undefined {
  const tried = spawnSync('strace', ['-f', '-e', 'trace=write', 'true'], { encoding: 'utf8' });
  if (tried.error) return 'strace is not installed';
  return tried.status === 0
    ? undefined
    : `strace cannot trace here: ${tried.stderr.split('\n')[0]}`;
}

describe('an acknowledged append is durable', () => {
  testNeeding(
    noStrace,
    'the write-ahead log is synced between its last write and each acknowledgement',
    async () => {
      const acknowledgements = await trace(
        new URL('./testing/append-and-acknowledge.ts', import.meta.url),
      );
      expect(acknowledgements).toHaveLength(appends);
      for (const acknowledgement of acknowledgements) {
        expect(acknowledgement).toEqual({ written: true, synced: true, unsyncedWrites: 0 });
      }
    },
  );

  testNeeding(
    noStrace,
    'the same look at a connection with synchronous = NORMAL finds the sync missing',
    async () => {
      const acknowledgements = await trace(
        new URL('./testing/append-unsafely.ts', import.meta.url),
      );
      expect(acknowledgements).toHaveLength(appends);
      for (const { written, synced, unsyncedWrites } of acknowledgements.slice(1)) {
        expect({ written, synced }).toEqual({ written: true, synced: false });
        expect(unsyncedWrites).toBeGreaterThan(0);
      }
    },
  );

  test('the connection of the writer says so itself', async () => {
    const log = await openIn(freshFolder());
    expect(log.writerSettings).toEqual({ journalMode: 'wal', synchronous: 2 });
  });
});
