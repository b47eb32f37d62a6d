import type { GenerationStatus } from '@annals/projection';
import type { SiteConfig } from './site/site-config.ts';

/** What the projector's thread is started with. */
export interface ProjectorThreadData {
  readonly site: SiteConfig;
  readonly holder: string;
}

export type ToProjector = 'stop';

export type FromProjector =
  | { readonly kind: 'status'; readonly generations: readonly GenerationStatus[] }
  /** Something failed and is tried again, or an event was parked. Holds no personal data. */
  | { readonly kind: 'trouble'; readonly projection: string; readonly detail: string };
