import { adminKeySchema } from '@annals/iam';
import { masterKeyPattern } from '@annals/subject-keys';
import { z } from 'zod';

const portMax = 65_535;
const portMessage = `must be a port, 0 to ${portMax}`;

/** Everything `npm start` reads from the environment. */
export const configSchema = z.object({
  HOST: z
    .string()
    .min(1, 'must be an address')
    .default('127.0.0.1')
    .describe('Address to listen on.'),
  PORT: z
    .string()
    // Digits only: Number() would take an empty text, 0x50 and 1e3, too.
    .refine((text) => /^\d{1,5}$/.test(text) && Number(text) <= portMax, portMessage)
    .transform(Number)
    .default(8080)
    .describe('Port to listen on; 0 takes a free one.'),
  ANNALS_DATA: z
    .string()
    .min(1, 'must name a folder')
    .default('./data')
    .describe('Folder of log, keys and read models.'),
  ANNALS_ADMIN_KEY: adminKeySchema
    .optional()
    .describe('Fixes the admin key; without it one is made at the first start and printed once.'),
  ANNALS_MASTER_KEY: z
    .string()
    .regex(masterKeyPattern, 'must be 64 hex digits')
    .optional()
    .describe('Wraps the keys of personal data; without it a key file is made in the data folder.'),
  ANNALS_LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('warn')
    .describe('How much the service tells on standard output.'),
});

export type Config = z.output<typeof configSchema>;
