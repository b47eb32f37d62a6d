import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandBlock, commandBlocksOf } from './docs-commands.ts';
import { type RunningPlatform, runCommands, runLimits, startPlatform } from './docs-run.ts';
import { readSourceTree, repositoryRoot } from './read-tree.ts';

const tree = readSourceTree();
const pages = [...tree.files.values()]
  .filter((file) => file.path.endsWith('.md'))
  .map((file) => ({ path: file.path, blocks: commandBlocksOf(file).flatMap(testedBlock) }))
  .filter(({ blocks }) => blocks.length > 0);

function testedBlock({ line, commands, run }: CommandBlock) {
  return run.kind === 'test' ? [{ line, commands, needs: run.needs }] : [];
}

describe.each(pages)('the commands of $path', ({ blocks }) => {
  let platform: RunningPlatform | undefined;

  beforeAll(async () => {
    if (blocks.some(({ needs }) => needs === 'platform')) {
      platform = await startPlatform(repositoryRoot);
    }
  }, runLimits.startMsMax + runLimits.stopMsMax);

  afterAll(() => platform?.stop(), runLimits.stopMsMax * 2);

  it.each(blocks)(
    'work: line $line',
    async ({ commands }) => {
      const outcome = await runCommands(platform?.addressed(commands) ?? commands, {
        cwd: repositoryRoot,
        ...(platform && { env: platform.env }),
      });
      expect(outcome.code, outcome.output).toBe(0);
    },
    runLimits.blockMsMax + runLimits.stopMsMax,
  );
});
