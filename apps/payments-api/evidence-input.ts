import { type EvidenceField, evidenceFields } from '@annals/payments/psp';
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

export const evidenceInput = z.strictObject({ evidence }).optional();
