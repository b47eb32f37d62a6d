import type { GenerationStatus } from '@annals/projection';

/** What the projector's thread is started with. */
export interface ProjectorThreadData {
  readonly dataFolder: string;
  readonly masterKey: string | undefined;
  readonly holder: string;
}

export type ToProjector = 'stop';

export type FromProjector =
  | { readonly kind: 'status'; readonly generations: readonly GenerationStatus[] }
  /** Something failed and is tried again, or an event was parked. Holds no personal data. */
  | { readonly kind: 'trouble'; readonly projection: string; readonly detail: string };
