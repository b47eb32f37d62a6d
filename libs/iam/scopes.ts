/** What a key may be allowed to do, in one table: the docs, the CLI and validation read it. */
export const scopes = {
  'scores:read': 'Read leaderboards, ranks and histories.',
  'scores:write': 'Report scores.',
  'boards:write': 'Make leaderboards and close their periods.',
  'players:write': "Set players' names and pictures.",
  'players:erase': "Erase players' personal data for good.",
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
  return granted.includes('admin') ? scopeNames : granted;
}
