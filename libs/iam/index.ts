export { adminKeyProblem, adminKeySchema } from './admin-key.ts';
export type { KeyRefusal } from './decide.ts';
export {
  type ApiKeys,
  ApiKeysUnavailableError,
  type Authentication,
  apiKeyDirectory,
  type DirectoryState,
} from './directory.ts';
export {
  apiKeyCategory,
  apiKeyEvents,
  apiKeyIssued,
  apiKeyRevoked,
  apiKeyStream,
} from './events.ts';
export { isKeyId } from './key-id.ts';
export { limits } from './limits.ts';
export { effectiveScopes, isScope, type Scope, scopeNames, scopes } from './scopes.ts';
export {
  type ApiKeyMeans,
  type Issued,
  issueKey,
  type ListedApiKey,
  listKeys,
  type Revoked,
  revokeKey,
} from './service.ts';
export type { ApiKeyStatus } from './state.ts';
