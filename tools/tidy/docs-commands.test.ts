import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CommandBlock, commandBlocksOf } from './docs-commands.ts';
import { runCommands, startPlatform } from './docs-run.ts';
import { repositoryRoot } from './read-tree.ts';

describe('the blocks of a page', () => {
  const page = [
    '# A page',
    '<!-- test -->\n```sh\nfirst\n```',
    '<!-- test: platform -->\n\n```sh\nsecond\n```',
    '<!-- not run: it takes a day -->\n```sh\nthird\n```',
    '<!-- test -->\nA sentence between.\n\n```sh\nfourth\n```',
    '1. a step\n\n   <!-- test -->\n   ```sh\n   fifth\n   ```',
    '```ts\nno.command();\n```',
  ].join('\n\n');
  const blocks = commandBlocksOf({ path: 'page.md', text: page });

  it('are found with their line and what becomes of them', () => {
    expect(blocks).toEqual([
      block(4, 'first', { kind: 'test', needs: 'nothing' }),
      block(10, 'second', { kind: 'test', needs: 'platform' }),
      block(15, 'third', { kind: 'not-run', reason: 'it takes a day' }),
      block(22, 'fourth', { kind: 'unmarked' }),
      block(29, 'fifth', { kind: 'test', needs: 'nothing' }),
    ]);
  });

  function block(line: number, commands: string, run: CommandBlock['run']): CommandBlock {
    return { path: 'page.md', line, commands, run };
  }
});

describe('running commands', () => {
  it('stops at the first failure, also inside a pipe, and keeps what was printed', async () => {
    const outcome = await runCommands('echo one\nfalse | cat\necho two', { cwd: repositoryRoot });
    expect(outcome).toEqual({ code: 1, output: 'one\n' });
  });

  it('refuses a variable that is not set', async () => {
    const outcome = await runCommands('echo "$ANNALS_NOBODY_SETS_THIS"', { cwd: repositoryRoot });
    expect(outcome.code).not.toBe(0);
  });

  it('ends what goes on for too long, with all that it started', async () => {
    const outcome = await runCommands('sleep 600 & sleep 600', {
      cwd: repositoryRoot,
      msMax: 200,
    });
    expect(outcome.code).toBeUndefined();
  });

  it('finds the Node.js of the repository', async () => {
    const outcome = await runCommands('node --version', { cwd: repositoryRoot });
    expect(outcome).toEqual({ code: 0, output: `${process.version}\n` });
  });
});

describe('a platform for a page', () => {
  const service = `
    import { createServer } from 'node:http';
    const { ANNALS_DATA, PORT } = process.env;
    createServer((request, response) => {
      response.statusCode = request.url === '/readyz' ? 200 : 404;
      response.end(ANNALS_DATA);
    }).listen(Number(PORT), '127.0.0.1');`;

  it('runs on a port and a folder of its own until it is stopped', async () => {
    const node = [process.execPath, '--input-type=module', '--eval', service];
    const platform = await startPlatform(repositoryRoot, node);
    try {
      await writeFile(join(platform.env.ANNALS_DATA ?? '', 'a'), '');
      const address = platform.addressed('http://localhost:8080/readyz');
      expect(address).toBe(`${platform.env.ANNALS_URL}/readyz`.replace('localhost', '127.0.0.1'));
      expect(await (await fetch(address)).text()).toBe(platform.env.ANNALS_DATA);
    } finally {
      await platform.stop();
    }
    await expect(fetch(platform.env.ANNALS_URL ?? '')).rejects.toThrow('fetch failed');
  });

  it('that ends at once is an error with its output', async () => {
    const node = [process.execPath, '--eval', 'console.error("no such folder"); process.exit(3)'];
    await expect(startPlatform(repositoryRoot, node)).rejects.toThrow('no such folder');
  });
});
