import { z } from 'zod';

/** The sandbox's settings. Its key and its webhook's secret are those that the payments API is told by default. */
export const configSchema = z
  .object({
    SANDBOX_PSP_HOST: z.string().min(1).default('127.0.0.1'),
    SANDBOX_PSP_PORT: z.coerce.number().int().min(0).max(65_535).default(8_090),
    SANDBOX_PSP_DATA: z.string().min(1).default('./data/sandbox-psp'),
    /** Where browsers find the pages; the address it listens on when it is not given. */
    SANDBOX_PSP_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
    /** Where webhooks go. */
    SANDBOX_PSP_WEBHOOK_URL: z.url({ protocol: /^https?$/ }).optional(),
    ANNALS_PSP_KEY: z.string().min(8).default('sk_test_sandbox'),
    ANNALS_PSP_WEBHOOK_SECRET: z.string().min(8).default('whsec_sandbox'),
  })
  .strip();

export type Config = z.output<typeof configSchema>;
