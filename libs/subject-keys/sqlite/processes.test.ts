import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { subjectCipher } from '../cipher.ts';
import { sqliteSubjectKeyStore } from './sqlite-subject-key-store.ts';

const masterKey = Buffer.alloc(32, 1);
const program = fileURLToPath(new URL('../testing/key-process.ts', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'annals-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const names = (count: number) => Array.from({ length: count }, (_, i) => `player:${i}`);

/** Runs a process; kills it without warning after `linesMax` lines. Resolves with the keys it acknowledged. */
function keyProcess(
  operation: 'create' | 'destroy',
  subjects: readonly string[],
  linesMax = Number.POSITIVE_INFINITY,
): Promise<Map<string, string>> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [program, operation, folder, masterKey.toString('hex'), ...subjects],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const acknowledged = new Map<string, string>();
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      const { subject, key } = JSON.parse(line) as { subject: string; key: string };
      acknowledged.set(subject, key);
      if (acknowledged.size >= linesMax) child.kill('SIGKILL');
    });
    lines.on('close', () => resolve(acknowledged));
    child.on('error', reject);
  });
}

test('four processes that create the same subjects get the same keys', async () => {
  const subjects = names(60);
  const answers = await Promise.all([
    keyProcess('create', subjects),
    keyProcess('create', [...subjects].reverse()),
    keyProcess('create', subjects),
    keyProcess('create', [...subjects].reverse()),
  ]);
  for (const subject of subjects) {
    const keys = new Set(answers.map((answer) => answer.get(subject)));
    expect(keys.size).toBe(1);
    expect([...keys][0]).toMatch(/^[0-9a-f]{64}$/);
  }
});

test('kill -9 at any point: every acknowledged key is there and the same', async () => {
  const acknowledged = new Map<string, string>();
  for (let round = 0; round < 8; round += 1) {
    const subjects = names(5_000).slice(round * 500);
    const answer = await keyProcess('create', subjects, 1 + ((round * 37) % 90));
    expect(answer.size).toBeGreaterThan(0);
    for (const [subject, key] of answer) {
      expect(acknowledged.get(subject) ?? key).toBe(key);
      acknowledged.set(subject, key);
    }
  }
  const store = await sqliteSubjectKeyStore({ folder, masterKey });
  const stored = await store.get([...acknowledged.keys()]);
  for (const [subject, key] of acknowledged) {
    const entry = stored.get(subject);
    expect(entry?.kind === 'key' && Buffer.from(entry.key).toString('hex')).toBe(key);
  }
  await store.close();
});

test('kill -9 in the middle of erasing: what was acknowledged is erased, and stays so', async () => {
  const subjects = names(400);
  const store = await sqliteSubjectKeyStore({ folder, masterKey });
  await store.create(subjects);
  await store.close();
  const erased = await keyProcess('destroy', subjects, 25);
  const next = await sqliteSubjectKeyStore({ folder, masterKey });
  const stored = await next.create([...erased.keys()]);
  for (const subject of erased.keys()) expect(stored.get(subject)?.kind).toBe('erased');
  await next.close();
});

test('a cached key is not used after another process erased it', async () => {
  const store = await sqliteSubjectKeyStore({ folder, masterKey });
  const cipher = subjectCipher(store);
  const before = await cipher.keyring(['player:0', 'player:1'], { create: true });
  expect(before.state('player:0')).toBe('present');
  await keyProcess('destroy', ['player:0']);
  const after = await cipher.keyring(['player:0', 'player:1'], { create: true });
  expect(after.state('player:0')).toBe('erased');
  expect(after.state('player:1')).toBe('present');
  await store.close();
});

test('an open store does not keep its process alive', async () => {
  const source = `
    import { sqliteSubjectKeyStore } from ${JSON.stringify(new URL('../index.ts', import.meta.url).href)};
    const store = await sqliteSubjectKeyStore({
      folder: ${JSON.stringify(folder)}, masterKey: Buffer.alloc(32, 1) });
    await store.create(['player:ann']);
    process.stdout.write('done');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect({ code, output }).toEqual({ code: 0, output: 'done' });
});
