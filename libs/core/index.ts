export { canonicalJson, type JsonObject, type JsonValue } from './canonical-json.ts';
export { type Clock, systemClock } from './clock.ts';
export { type Configured, configFrom } from './config.ts';
export { hmacSha256, sha256 } from './hash.ts';
export { idFromHex, idFromKey, isId, newId } from './ids.ts';
export type { SubjectCipher, SubjectKeyring, SubjectState } from './personal-data.ts';
export { type FileProblem, fileProblem } from './system-error.ts';
export { annalsVersion } from './version.ts';
