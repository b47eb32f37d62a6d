import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PaymentsSettings } from './payments-settings.ts';

/** Where the sandbox PSP of a data folder has its books, and says where it listens. */
export function sandboxFolder(dataFolder: string): string {
  return join(dataFolder, 'sandbox-psp');
}

export const sandboxAddressFile = 'address';

/** Where the sandbox of this data folder listens, or has listened last; undefined before it was ever started. */
export function sandboxAddress(dataFolder: string): string | undefined {
  try {
    const text = readFileSync(join(sandboxFolder(dataFolder), sandboxAddressFile), 'utf8').trim();
    return URL.canParse(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/** The settings with the sandbox's place in them; undefined while it is needed and not known. */
export function placedSettings(
  settings: PaymentsSettings,
  address: string | undefined,
): PaymentsSettings | undefined {
  if (!settings.psps.some(({ url }) => url === 'sandbox')) return settings;
  if (address === undefined) return undefined;
  const psps = settings.psps.map((one) => (one.url === 'sandbox' ? { ...one, url: address } : one));
  return { ...settings, psps };
}
