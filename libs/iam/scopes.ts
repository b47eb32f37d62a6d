/** What a key may be allowed to do, in one table: the docs, the CLI and validation read it. */
export const scopes = {
  'scores:read': 'Read leaderboards, ranks and histories.',
  'scores:write': 'Report scores.',
  'boards:write': 'Make leaderboards and close their periods.',
  'players:write': "Set players' names and pictures.",
  'players:erase': "Erase players' personal data for good.",
  'payments:read':
    'See how payments and their orders stand; what every other payments scope may, too.',
  'payments:buyer': "Take payments: what a shop's checkout needs.",
  'payments:merchant': 'Capture, cancel, deliver and refund orders; answer disputes; list orders.',
  'payments:finance': 'Wallets, payouts, the ledger, reports, risk reviews and reconciliation.',
  'payments:admin': 'Register sellers, their terms and bank accounts; say where webhooks go.',
  'ops:read': 'Read metrics and the state of projections.',
  admin: 'Everything.',
} as const;

export type Scope = keyof typeof scopes;

export const scopeNames = Object.keys(scopes) as readonly Scope[];

export function isScope(text: string): text is Scope {
  return Object.hasOwn(scopes, text);
}

/** All that a key with these scopes may do: `admin` stands for every scope, itself included. */
export function effectiveScopes(granted: readonly string[]): readonly string[] {
  if (granted.includes('admin')) return scopeNames;
  const seesPayments = granted.some((scope) => scope.startsWith('payments:'));
  return seesPayments ? [...new Set([...granted, 'payments:read'])] : granted;
}
