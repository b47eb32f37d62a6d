import {
  type EvidenceField,
  type EvidenceFile,
  type EvidenceFileField,
  evidenceFields,
  evidenceFileFields,
  evidenceFileLimits,
  evidenceFileType,
} from '@annals/payments/psp';
import { z } from 'zod';
import { freeText } from './fields.ts';
import { limits } from './limits.ts';

const evidenceText = freeText(limits.evidenceCharsMax);

const evidence = z
  .strictObject(
    Object.fromEntries(evidenceFields.map((field) => [field, evidenceText.optional()])) as {
      readonly [Field in EvidenceField]: z.ZodOptional<typeof evidenceText>;
    },
  )
  .refine((given) => Object.keys(given).length > 0, {
    message: 'must say something: statement, or another of its members',
  })
  .refine((given) => Buffer.byteLength(JSON.stringify(given)) <= limits.evidenceBytesMax, {
    message: `must have at most ${limits.evidenceBytesMax} bytes in all`,
  });

const { bytesMax } = evidenceFileLimits;

/** What it is, is told by its first bytes. */
const evidenceFile = z
  .base64({ message: 'must be the bytes of a file as base64' })
  .min(1, { message: 'must not be empty' })
  .max(Math.ceil(bytesMax / 3) * 4, { message: `must have at most ${bytesMax} bytes` })
  .refine((text) => evidenceFileType(Buffer.from(text.slice(0, 24), 'base64')) !== undefined, {
    message: 'must be a PDF, a JPEG or a PNG',
  });

const files = z
  .strictObject(
    Object.fromEntries(evidenceFileFields.map((field) => [field, evidenceFile.optional()])) as {
      readonly [Field in EvidenceFileField]: z.ZodOptional<typeof evidenceFile>;
    },
  )
  .refine((given) => Object.keys(given).length > 0, { message: 'must hold a file' })
  .refine((given) => bytesOf(Object.values(given)) <= bytesMax, {
    message: `must have at most ${bytesMax} bytes in all`,
  });

function bytesOf(texts: readonly (string | undefined)[]): number {
  return texts.reduce((sum, text = '') => sum + Buffer.byteLength(text, 'base64'), 0);
}

export const evidenceInput = z
  .strictObject({
    evidence: evidence.optional().describe('What is said, as text.'),
    files: files
      .optional()
      .describe(
        `What is shown: PDF, JPEG or PNG, each as base64, ${bytesMax} bytes at most in all.`,
      ),
  })
  .refine((given) => given.evidence !== undefined || given.files !== undefined, {
    message: 'must have evidence, or files',
  })
  .optional();

/** The files that were given, of the types that their bytes are. */
export function filesOf(given: z.output<typeof evidenceInput>): readonly EvidenceFile[] {
  return evidenceFileFields.flatMap((field) => {
    const text = given?.files?.[field];
    if (text === undefined) return [];
    const bytes = Buffer.from(text, 'base64');
    const type = evidenceFileType(bytes);
    if (!type) throw new TypeError(`the type of ${field} was checked`);
    return [{ field, type, bytes }];
  });
}
