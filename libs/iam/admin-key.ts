import { z } from 'zod';
import { limits } from './limits.ts';

/** What an Authorization header can carry after `Bearer`: the b64token of RFC 6750 §2.1. */
const tokenPattern = /^[A-Za-z0-9._~+/-]+=*$/;

/** Why `text` cannot be a fixed admin key, or undefined when it can. Never shows it. */
export function adminKeyProblem(text: string): string | undefined {
  if (text.length < limits.adminKeyCharsMin) {
    return `an admin key has at least ${limits.adminKeyCharsMin} characters`;
  }
  if (text.length > limits.adminKeyCharsMax) {
    return `an admin key has at most ${limits.adminKeyCharsMax} characters`;
  }
  return tokenPattern.test(text)
    ? undefined
    : 'an admin key holds only A-Z, a-z, 0-9, . _ ~ + / -, and = at its end';
}

/** For the schema of configuration: `ANNALS_ADMIN_KEY: adminKeySchema.optional()`. */
export const adminKeySchema = z.string().superRefine((text, context) => {
  const message = adminKeyProblem(text);
  if (message) context.addIssue({ code: 'custom', message });
});
