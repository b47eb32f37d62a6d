import { z } from 'zod';
import type { Books } from './books.ts';
import type { StoredFile } from './objects.ts';
import { expanding, fields } from './parameters.ts';
import { answer, invalid, missing, type Reply } from './reply.ts';
import { type Route, route } from './route.ts';

/** Files that are shown in disputes: PDF, JPEG and PNG, by their first bytes. They are kept as they came. */

export const fileLimits = { bytesMax: 5_000_000 } as const;

const kinds: readonly (readonly [type: string, begins: string])[] = [
  ['pdf', '%PDF-'],
  ['jpg', '\u00ff\u00d8\u00ff'],
  ['png', '\u0089PNG\r\n\u001a\n'],
];

/** A part of a form with several: `data` has a character for each byte. */
export const filePart = z.strictObject({
  name: z.string().max(255),
  type: z.string().max(100),
  data: z.string(),
});

const creation = z.strictObject({
  ...expanding,
  purpose: z.literal('dispute_evidence'),
  file: filePart,
});

function create(books: Books, { purpose, file }: z.output<typeof creation>): Reply {
  const type = kinds.find(([, begins]) => file.data.startsWith(begins))?.[0];
  if (!type) {
    const message = 'Invalid file: it must be a PDF, a JPEG or a PNG.';
    return invalid(message, { code: 'parameter_invalid', param: 'file' });
  }
  if (file.data.length > fileLimits.bytesMax) {
    const message = `Invalid file: it may have ${fileLimits.bytesMax} bytes at most.`;
    return invalid(message, { code: 'parameter_invalid', param: 'file' });
  }
  const stored: StoredFile = {
    id: books.idOf('file'),
    object: 'file',
    created: books.now,
    livemode: false,
    ...{ filename: file.name, purpose, size: file.data.length, type },
    content: Buffer.from(file.data, 'latin1').toString('base64'),
  };
  books.storage.insert('file', stored);
  return answer(shownFile(stored));
}

/** Without its content: nobody gets evidence back. */
function shownFile({ content: _, ...shown }: StoredFile): object {
  return { ...shown, url: null };
}

export const fileRoutes: readonly Route[] = [
  route({
    ...{ method: 'POST', path: '/v1/files', operation: 'files.create' },
    parameters: creation,
    handle: create,
  }),
  route({
    ...{ method: 'GET', path: '/v1/files/:id', operation: 'files.retrieve' },
    parameters: z.strictObject({ ...expanding, id: fields.id.optional() }),
    handle: (books, _, id) => {
      const file = books.get('file', id);
      return file ? answer(shownFile(file)) : missing('file upload', id, 'file');
    },
  }),
];
