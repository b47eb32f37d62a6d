import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { scoreServer } from './example.ts';

it('the example in the README is example.ts, and works', async () => {
  const text = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');
  // Other packages import this one by its name, which a package does not do itself.
  const readme = text('README.md').replace("from '@annals/http'", "from './index.ts'");
  const [, example] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  const withoutImports = (code = '') => code.slice(code.indexOf('const errors ='));
  expect(example).toContain("from './index.ts'");
  expect(withoutImports(example)).toBe(withoutImports(text('example.ts')));

  const server = await scoreServer({
    authenticate: () => ({
      kind: 'authenticated',
      keyId: 'k1',
      name: 'game',
      scopes: ['scores:write'],
    }),
  });
  const headers = { authorization: 'Bearer key' };
  const post = (payload: object) =>
    server.inject({ method: 'POST', url: '/v1/scores', headers, payload });
  expect((await post({ user_id: 'ann', points: 7 })).statusCode).toBe(200);
  expect((await post({ user_id: 'ann', points: 7, bonus: 1 })).json()).toMatchObject({
    code: 'invalid-input',
    errors: [{ in: 'body', field: 'bonus', message: 'unknown field' }],
  });
  const read = await server.inject('/v1/scores/ann?factor=2');
  expect(read.json()).toEqual({ user_id: 'ann', points: 14 });
  const unknown = await server.inject('/v1/scores/bob');
  expect(unknown.json()).toMatchObject({ status: 404, detail: 'There is no score of bob.' });
  await server.stop();
});
