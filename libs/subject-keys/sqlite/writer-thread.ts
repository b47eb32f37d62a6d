import { parentPort, workerData } from 'node:worker_threads';
import { KeyWrapping } from '../key-wrapping.ts';
import { SubjectKeyStoreError } from '../port.ts';
import type { KeyFile } from './key-file.ts';
import { openKeyFile } from './open-key-file.ts';
import type { WriteReply, WriteRequest, WriterData } from './writer-messages.ts';

/** The thread that writes the key file, so that no fsync blocks the thread that serves requests. */
const { folder, masterKey } = workerData as WriterData;
const opening = openKeyFile(folder, new KeyWrapping(masterKey));
// A failure is answered to the first request; until that comes nobody waits for it.
opening.catch(() => undefined);

parentPort?.on('message', async (request: WriteRequest) => {
  parentPort?.postMessage(await answer(request));
  if (request.operation === 'close') parentPort?.close();
});

async function answer(request: WriteRequest): Promise<WriteReply> {
  const { sequence } = request;
  try {
    return { sequence, kind: 'done', keys: write(await opening, request) };
  } catch (error) {
    // Errors lose their class on the way between threads, so the code travels by itself.
    const code = error instanceof SubjectKeyStoreError ? error.code : 'io';
    return { sequence, kind: 'failed', code, message: String((error as Error).message) };
  }
}

function write(keys: KeyFile, { operation, subjects }: WriteRequest): number {
  switch (operation) {
    case 'open':
      return 0;
    case 'create':
      keys.create(subjects);
      return 0;
    case 'destroy':
      return keys.destroy(subjects);
    case 'close':
      keys.close();
      return 0;
  }
}
