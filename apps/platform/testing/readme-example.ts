import { configFrom } from '@annals/core';
import { configSchema, startPlatform } from '../index.ts';

export async function startOn(folder: string, adminKey: string) {
  const env = { PORT: '0', ANNALS_DATA: folder, ANNALS_ADMIN_KEY: adminKey };
  const configured = configFrom(configSchema, env);
  if (configured.kind === 'invalid') throw new Error(configured.problems.join('\n'));
  return startPlatform(configured.value);
}
