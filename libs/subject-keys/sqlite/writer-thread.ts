import { parentPort, workerData } from 'node:worker_threads';
import { KeyWrapping } from '../key-wrapping.ts';
import { SubjectKeyStoreError } from '../port.ts';
import { KeyFile } from './key-file.ts';
import type { WriteReply, WriteRequest, WriterData } from './writer-messages.ts';

/** The thread that writes the key file, so that no fsync blocks the thread that serves requests. */
const { folder, masterKey } = workerData as WriterData;
const keys = new KeyFile(folder, new KeyWrapping(masterKey));

parentPort?.on('message', (request: WriteRequest) => {
  parentPort?.postMessage(answer(request));
  if (request.operation === 'close') parentPort?.close();
});

function answer(request: WriteRequest): WriteReply {
  const { sequence } = request;
  try {
    return { sequence, kind: 'done', keys: write(request) };
  } catch (error) {
    // Errors lose their class on the way between threads, so the code travels by itself.
    const code = error instanceof SubjectKeyStoreError ? error.code : 'io';
    return { sequence, kind: 'failed', code, message: String((error as Error).message) };
  }
}

function write({ operation, subjects }: WriteRequest): number {
  switch (operation) {
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
