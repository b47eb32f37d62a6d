import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { adminKey } from './testing/open-platform.ts';
import { startOn } from './testing/readme-example.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';

const text = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');

it('the example of the README is the one that is run here', async () => {
  const example = text('testing/readme-example.ts').replace('../index.ts', '@annals/platform');
  expect(text('README.md')).toContain(`\`\`\`ts\n${example}\`\`\``);
  const data = await temporaryFolder();
  const platform = await startOn(data.path, adminKey);
  // A busy machine takes requests before its read models are there: reads are 503 until then.
  await until('an answer', async () => {
    const headers = { authorization: `Bearer ${adminKey}` };
    const { status } = await fetch(`${platform.url}/v1/scores`, { headers });
    if (status !== 503) expect(status).toBe(200);
    return status === 200 || undefined;
  });
  expect(platform.newAdminKey).toBeUndefined();
  await platform.stop();
  await expect(startOn(data.path, 'short')).rejects.toThrow('ANNALS_ADMIN_KEY');
  await data.remove();
});
