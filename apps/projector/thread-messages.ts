import type { ReactorStatus } from '@annals/payments/runtime';
import type { GenerationStatus } from '@annals/projection';
import type { PaymentsSettings } from './payments/payments-settings.ts';
import type { SiteConfig } from './site/site-config.ts';

/** What the projector's thread is started with. */
export interface ProjectorThreadData {
  readonly site: SiteConfig;
  readonly payments?: PaymentsSettings | undefined;
  readonly holder: string;
}

export type ToProjector = 'stop';

export type FromProjector =
  | {
      readonly kind: 'status';
      readonly generations: readonly GenerationStatus[];
      readonly reactors: readonly ReactorStatus[];
    }
  /** Something failed and is tried again, or an event was parked. Holds no personal data. */
  | { readonly kind: 'trouble'; readonly projection: string; readonly detail: string }
  /** Its log has failed, and only an operator can mend that. */
  | { readonly kind: 'failed'; readonly message: string };
