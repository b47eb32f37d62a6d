import { describe, expect, it } from 'vitest';
import { configFields } from './config.ts';
import { configurationPage, envExample, settingsOf } from './configuration-page.ts';

const settings = settingsOf(configFields);

describe('the settings', () => {
  it('are what docs/configuration.md says', async () => {
    const page = configurationPage(settings);
    await expect(page).toMatchFileSnapshot('../../docs/configuration.md');
  });

  it('are what .env.example says', async () => {
    await expect(envExample(settings)).toMatchFileSnapshot('../../.env.example');
  });

  it.each(settings)('$name is described', ({ what }) => {
    expect(what).toMatch(/^[A-Z].{10,}\.$/);
  });
});
