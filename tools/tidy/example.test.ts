import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { rules, sourceTreeOf } from './index.ts';

// #region example
const tree = sourceTreeOf([{ path: 'libs/core/index.ts', text: 'export const x: any = 1;\n' }]);
const problems = rules.flatMap((rule) => rule.check(tree)).map(({ message }) => message);
// #endregion

it('the example of README.md is the one above, and works', async () => {
  const readme = await readFile(join(import.meta.dirname, 'README.md'), 'utf8');
  const own = await readFile(import.meta.filename, 'utf8');
  const region = /\/\/ #region example\n(.*?)\/\/ #endregion/s.exec(own)?.[1];
  expect(/```ts\n[^\n]*\n\n(.*?)```/s.exec(readme)?.[1]).toBe(region);
  expect(problems).toContain('any: say what it is, or unknown');
});
