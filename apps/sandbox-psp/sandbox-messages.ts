/** What the sandbox's thread is started with. */
export interface SandboxThreadData {
  readonly folder: string;
  readonly host: string;
  /** The first one that is free is taken; 0 is whichever is. */
  readonly ports: readonly number[];
  readonly key: string;
  readonly webhookSecret: string;
}

export type ToSandbox =
  | { readonly kind: 'endpoint'; readonly url: string }
  | { readonly kind: 'stop' };

export type FromSandbox =
  | { readonly kind: 'listening'; readonly url: string }
  /** Another process has the books of this folder open. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'failed'; readonly detail: string; readonly code: string | undefined }
  | { readonly kind: 'trouble'; readonly detail: string };
