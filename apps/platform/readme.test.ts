import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { adminKey } from './testing/open-platform.ts';
import { startOn } from './testing/readme-example.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { untilRead } from './testing/until.ts';

const text = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');

it('the example of the README is the one that is run here', async () => {
  const example = text('testing/readme-example.ts').replace('../index.ts', '@annals/platform');
  expect(text('README.md')).toContain(`\`\`\`ts\n${example}\`\`\``);
  const data = await temporaryFolder();
  const platform = await startOn(data.path, adminKey);
  await untilRead(`${platform.url}/v1/scores`, { authorization: `Bearer ${adminKey}` });
  expect(platform.newAdminKey).toBeUndefined();
  await platform.stop();
  await expect(startOn(data.path, 'short')).rejects.toThrow('ANNALS_ADMIN_KEY');
  await data.remove();
});
