import type { Clock, SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import type {
  LedgerReadModel,
  Payments,
  PaymentsReadModel,
  WalletsReadModel,
} from '@annals/payments';
import type { Finance } from '@annals/payments/finance';
import type { IdempotencyStore } from '@annals/payments/idempotency';
import type { Routable } from '@annals/payments/psp';
import type { FilesMeans, QueuesReadModel } from '@annals/payments/reconciliation';
import type { DenyLists } from '@annals/payments/risk';
import type { Webhooks } from '@annals/payments/webhooks-out';
import type { PspWebhookMeans } from './psp-webhook-routes.ts';

/** What the routes work with: one object, made by the app that serves them. */
export interface PaymentsApiMeans {
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  readonly payments: Payments;
  /** The read models, each by the name of its projection. */
  readonly paymentsRead: PaymentsReadModel;
  readonly wallets: WalletsReadModel;
  readonly ledger: LedgerReadModel;
  readonly idempotency: IdempotencyStore;
  /** What needs two persons. Without it there are no such routes. */
  readonly finance?: Finance;
  /** Who is turned away. Without it there are no such routes. */
  readonly denyLists?: DenyLists;
  /** Whom merchants have told where to send webhooks. Without it there are no such routes. */
  readonly webhooks?: Webhooks;
  /** The provider that pays a seller in a currency. */
  readonly payoutPsp: (currency: string, seller: string) => string;
  /** The provider that makes the page of a payment, undefined where none takes it. Without it there are no pages. */
  readonly pagePsp?: (payment: Routable) => string | undefined;
  /** Where it is not there, webhooks of providers are not taken. */
  readonly pspWebhooks?: PspWebhookMeans;
  /** Without it there are no routes of reconciliation. */
  readonly reconciliation?: ReconciliationApiMeans;
  /** How long answers wait for a read model, in milliseconds; 5,000 unless told. */
  readonly visibleMsMax?: number;
  /** How long a position of another process may take to come to this one's copy of the log; 0 where there is no copy. */
  readonly replicaMsMax?: number;
}

export interface ReconciliationApiMeans {
  readonly files: FilesMeans;
  readonly queues: QueuesReadModel;
  /** The providers whose files are taken. */
  readonly psps: readonly string[];
}
