import { isIP } from 'node:net';
import type { RateLimits } from '@annals/http';
import { adminKeySchema } from '@annals/iam';
import {
  checkPaymentsSettings,
  checkSiteSettings,
  paymentsFields,
  siteFields,
} from '@annals/projector';
import { z } from 'zod';

const portMax = 65_535;
const portMessage = `must be a port, 0 to ${portMax}`;
const drainMsMax = 300_000;
const rateMax = 100_000_000;

/** A whole number of at most `max`. Digits only: Number() would take an empty text, 0x50 and 1e3, too. */
function wholeNumber(max: number, message = `must be a whole number, 0 to ${max}`) {
  return z
    .string()
    .refine((text) => /^\d{1,9}$/.test(text) && Number(text) <= max, message)
    .transform(Number);
}

/** `KEY/ADDRESS`, or `off`. */
const ratesPattern = /^([1-9]\d{0,8})\/([1-9]\d{0,8})$/;
const ratesMessage = `must be KEY/ADDRESS, two numbers of requests in ten seconds up to ${rateMax}, or off`;

const rateLimitsSchema = z
  .string()
  .refine((text) => text === 'off' || isRates(text), ratesMessage)
  .transform((text) => {
    if (text === 'off') return false as const;
    const [requestsPerKeyMax, requestsPerAddressMax] = text.split('/').map(Number);
    return { requestsPerKeyMax, requestsPerAddressMax } as RateLimits;
  });

function isRates(text: string): boolean {
  const numbers = ratesPattern.exec(text)?.slice(1).map(Number) ?? [];
  return numbers.length === 2 && numbers.every((number) => number <= rateMax);
}

/** Addresses and networks, apart by commas. Never "all": then whoever calls could name any address. */
const proxiesSchema = z
  .string()
  .transform((text) => text.split(',').map((one) => one.trim()))
  .refine((proxies) => proxies.every(isNetwork), 'must be addresses or networks, apart by commas');

function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  );
}

export type Role = 'api' | 'projector';
const rolesMessage = 'must be api, projector or all';

const rolesSchema = z
  .enum(['api', 'projector', 'all'], rolesMessage)
  .transform((role): readonly Role[] => (role === 'all' ? ['api', 'projector'] : [role]));

/** Each setting that `npm start` reads from the environment. */
export const configFields = {
  HOST: z
    .string()
    .min(1, 'must be an address')
    .default('127.0.0.1')
    .describe('Address to listen on.'),
  PORT: wholeNumber(portMax, portMessage)
    .default(8080)
    .describe('Port to listen on; 0 takes a free one.'),
  ...siteFields,
  ...paymentsFields,
  SANDBOX_PSP_PORT: wholeNumber(portMax, portMessage)
    .optional()
    .describe(
      'Port of the sandbox PSP; unless told the last one it had, 8090, or a free one where those are taken.',
    ),
  ANNALS_ROLES: rolesSchema
    .optional()
    .describe(
      'What this process does: api (serves HTTP), projector (keeps read models), or all; all unless told.',
    ),
  ANNALS_WHEN_LOST: z
    .enum(['refuse', 'serve-older'], 'must be refuse or serve-older')
    .default('refuse')
    .describe(
      'What reads do whose read model is lost: refuse, or answer from the one that was live before it, saying stale.',
    ),
  ANNALS_ADMIN_KEY: adminKeySchema
    .optional()
    .describe('Fixes the admin key; without it one is made at the first start and printed once.'),
  ANNALS_LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('warn')
    .describe('How much the service tells on standard output.'),
  ANNALS_RATE_LIMITS: rateLimitsSchema
    .optional()
    .describe(
      'Requests in ten seconds of one key / of one address without a good key, or off; 300000/20000 unless told.',
    ),
  ANNALS_TRUSTED_PROXIES: proxiesSchema
    .optional()
    .describe(
      'Addresses or networks whose X-Forwarded-For is believed, apart by commas; none unless told.',
    ),
  ANNALS_OPERATIONS: z
    .enum(['loopback', 'anyone'], 'must be loopback or anyone')
    .default('loopback')
    .describe('Who may read /healthz, /readyz and /metrics without a key.'),
  ANNALS_DRAIN_MS: wholeNumber(drainMsMax)
    .default(0)
    .describe(
      'How long a stop says 503 at /readyz before connections are refused, in milliseconds.',
    ),
} as const;

/** Everything `npm start` reads from the environment. */
export const configSchema = z
  .object(configFields)
  .superRefine(checkSiteSettings)
  .superRefine(checkPaymentsSettings);

export type Config = z.output<typeof configSchema>;
