import { setTimeout as delay } from 'node:timers/promises';
import type { KeyWrapping } from '../key-wrapping.ts';
import { SubjectKeyStoreError } from '../port.ts';
import { KeyFile } from './key-file.ts';

const openingAttemptsMax = 100;
const openingPauseMs = 50;

/** Opens the file. Processes that make it at the same moment find it locked for moments, which SQLite does not wait for. */
export async function openKeyFile(folder: string, wrapping: KeyWrapping): Promise<KeyFile> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return new KeyFile(folder, wrapping);
    } catch (error) {
      const busy = error instanceof SubjectKeyStoreError && error.code === 'busy';
      if (!busy || attempt === openingAttemptsMax) throw error;
      await delay(openingPauseMs);
    }
  }
}
