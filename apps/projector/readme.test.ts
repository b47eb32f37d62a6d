import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { firstGeneration } from './testing/readme-example.ts';

vi.setConfig({ testTimeout: 60_000 });

const text = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');

it('the example of the README is the one that is run here', async () => {
  const example = text('testing/readme-example.ts').replace('../index.ts', '@annals/projector');
  expect(text('README.md')).toContain(`\`\`\`ts\n${example}\`\`\``);
  const folder = await mkdtemp(join(tmpdir(), 'annals-projector-'));
  const spec = await firstGeneration(folder, 'leaderboard');
  expect(spec).toMatchObject({ projection: 'leaderboard', generation: 1, workers: 1 });
  await rm(folder, { recursive: true, force: true });
});
