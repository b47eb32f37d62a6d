import type { SubjectKeyStoreErrorCode } from '../port.ts';

/** What the store tells its writer thread, and what comes back. */
export interface WriterData {
  readonly folder: string;
  readonly masterKey: Uint8Array;
}

export interface WriteRequest {
  readonly sequence: number;
  readonly operation: 'open' | 'create' | 'destroy' | 'close';
  readonly subjects: readonly string[];
}

export type WriteReply =
  | { readonly sequence: number; readonly kind: 'done'; readonly keys: number }
  | {
      readonly sequence: number;
      readonly kind: 'failed';
      readonly code: SubjectKeyStoreErrorCode;
      readonly message: string;
    };
