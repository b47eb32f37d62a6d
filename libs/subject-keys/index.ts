export { NoSubjectKeyError, subjectCipher } from './cipher.ts';
export {
  type EnforcedErasures,
  type Erasure,
  enforceErasures,
  eraseSubject,
  erasureCategory,
  erasureEvent,
  erasureStream,
  subjectErased,
} from './erasure.ts';
export { limits } from './limits.ts';
export {
  loadMasterKey,
  MasterKeyError,
  type MasterKeyErrorCode,
  masterKeyFrom,
  masterKeyPattern,
} from './master-key.ts';
export {
  type MemoryFaultPoint,
  type MemorySubjectKeyOptions,
  type MemorySubjectKeys,
  memorySubjectKeyStore,
  memorySubjectKeys,
} from './memory-subject-key-store.ts';
export * from './port.ts';
export { type RandomBytes, SealedTextError, type SealedTextErrorCode } from './sealing.ts';
export { backupSubjectKeys } from './sqlite/key-backup.ts';
export { keyFileName } from './sqlite/key-file.ts';
export { rotateMasterKey, rotateMasterKeyFile } from './sqlite/master-key-rotation.ts';
export { sqliteSubjectKeyStore } from './sqlite/sqlite-subject-key-store.ts';
export { subjectOf, subjectProblem } from './subject-name.ts';
