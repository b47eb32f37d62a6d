/**
 * What the event codec needs of the keys of personal data. `subject-keys` implements it; the log
 * never sees a key, and stores only what `seal` made.
 *
 * A subject is the person the data is about, named `kind:id` (`player:ann`).
 */
export interface SubjectCipher {
  /**
   * Brings the keys of these subjects into memory, so that the keyring answers without I/O.
   * With `create`, a subject that never had a key gets one, durably, before this resolves;
   * an erased subject never gets a key again.
   */
  keyring(
    subjects: readonly string[],
    options: { readonly create: boolean },
  ): Promise<SubjectKeyring>;
}

/** `missing` is not `erased`: a key that should be there is not, and the reader must stop. */
export type SubjectState = 'present' | 'erased' | 'missing';

export interface SubjectKeyring {
  state(subject: string): SubjectState;
  /** AES-256-GCM under the subject's key with a new random nonce; `context` is authenticated. Throws unless `present`. */
  seal(subject: string, plaintext: string, context: string): string;
  /** The plaintext of what `seal` made. Throws unless `present`, and when the text or the context was changed. */
  open(subject: string, sealed: string, context: string): string;
  /** HMAC-SHA-256 of `text` under a key derived from the subject's key, hex. Throws unless `present`. */
  fingerprint(subject: string, text: string): string;
}
