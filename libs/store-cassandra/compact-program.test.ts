import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { compactByProgram } from './compact-program.ts';

function program(text: string): { readonly path: string; readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'annals-compact-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'compact');
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return { path, folder };
}

test('the program is given every table, each with its keyspace', async () => {
  const { path, folder } = program('printf "%s\\n" "$@" > "$(dirname "$0")/tables"');
  await compactByProgram(path)(['games.a', 'system.paxos']);
  expect(readFileSync(join(folder, 'tables'), 'utf8')).toBe('games.a\nsystem.paxos\n');
});

test('a node that could not be compacted is told in the program’s own words', async () => {
  const { path } = program('echo connecting >&2; echo "node 3 does not answer" >&2; exit 4');
  await expect(compactByProgram(path)(['games.a'])).rejects.toMatchObject({
    ...{ name: 'CassandraStoreError', code: 'io' },
    message: expect.stringContaining('node 3 does not answer (exit code 4)'),
  });
});

test('a program that is not there, or does not end, is no compaction', async () => {
  await expect(compactByProgram('/nowhere/compact')(['games.a'])).rejects.toMatchObject({
    ...{ code: 'io', message: expect.stringContaining('ENOENT') },
  });
  const { path } = program('exec sleep 60');
  await expect(compactByProgram(path, 200)(['games.a'])).rejects.toMatchObject({
    ...{ code: 'io', message: expect.stringContaining('it took too long') },
  });
});
