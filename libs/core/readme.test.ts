import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('the example in README.md runs', async () => {
  const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');
  const example = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? '';
  expect(example).toContain('assert');
  const flags = ['--input-type=module-typescript', '--eval', example];
  await promisify(execFile)(process.execPath, flags, { cwd: import.meta.dirname });
});
