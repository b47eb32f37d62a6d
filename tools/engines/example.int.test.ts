import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeOn } from '@annals/core/testing';
import { expect, it } from 'vitest';

// #region example
await describeOn('redis', 'a suite on Redis', (redis) => {
  it('has an address', () => {
    expect(redis.addresses).toHaveLength(1);
  });
});
// #endregion

it('the example of README.md is the one above', async () => {
  const readme = await readFile(join(import.meta.dirname, 'README.md'), 'utf8');
  const own = await readFile(import.meta.filename, 'utf8');
  const region = /\/\/ #region example\n(.*?)\/\/ #endregion/s.exec(own)?.[1];
  expect(/```ts\n[^\n]*\n\n(.*?)```/s.exec(readme)?.[1]).toBe(region);
});
