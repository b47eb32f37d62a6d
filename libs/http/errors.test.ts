import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { errorsSection, httpErrors, logErrors, replaceSection, unavailable } from './index.ts';
import { describeErrorDocs } from './testing/index.ts';

describeErrorDocs(httpErrors, new URL('../../docs/errors.md', import.meta.url));
describeErrorDocs(logErrors, new URL('../../docs/errors.md', import.meta.url));

describe('the section of a table in the docs', () => {
  const table = {
    name: 'sample',
    rows: { 'too-late': { status: 409, title: 'a | b', detail: '<{x}>', when: 'always' } },
  };

  it('takes the place of the old one, and leaves the others alone', () => {
    const before = replaceSection(replaceSection('# Errors\n', table), httpErrors);
    const changed = { ...table, rows: { gone: { ...table.rows['too-late'], status: 410 } } };
    const after = replaceSection(before, changed);
    expect(after).toContain('`gone`');
    expect(after).not.toContain('`too-late`');
    expect(after).toContain(errorsSection(httpErrors));
    expect(replaceSection(after, changed)).toBe(after);
  });

  it('escapes what would break the table', () => {
    expect(errorsSection(table)).toContain('| `too-late` | 409 | a \\| b | &lt;{x}> | always |');
  });
});

describe('the script that writes the docs', () => {
  it('writes every table it finds, ours first', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'annals-errors-'));
    const file = join(folder, 'errors.md');
    const script = fileURLToPath(new URL('./write-errors.ts', import.meta.url));
    await promisify(execFile)(process.execPath, [script, file]);
    const text = await readFile(file, 'utf8');
    await rm(folder, { recursive: true });
    expect(text).toMatch(/^# Errors\n/);
    expect(text.slice(text.indexOf('<!--'))).toMatch(/^<!-- errors of http:/);
    expect(text).toContain(errorsSection(httpErrors));
  });
});

describe('unavailable', () => {
  it('asks for whole seconds, at least one (RFC 9110 §10.2.3)', () => {
    expect(unavailable('rebuild it', 0.2).headers).toEqual({ 'retry-after': '1' });
    expect(unavailable('rebuild it', 1.2).headers).toEqual({ 'retry-after': '2' });
  });
});
