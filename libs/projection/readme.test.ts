import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

test('the example of the README is a program that runs', async () => {
  const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8');
  const program = readFileSync(new URL('testing/readme-example.ts', import.meta.url), 'utf8');
  const published = program.replace("'../index.ts'", "'@annals/projection'");
  expect(/```ts\n([\s\S]*?)```/.exec(readme)?.[1]).toBe(published);
  await import('./testing/readme-example.ts');
});
