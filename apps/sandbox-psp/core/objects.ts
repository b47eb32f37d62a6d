/** What the sandbox keeps: the members of Stripe's objects that its API gives back. Times are seconds since 1970. */

export type Metadata = Readonly<Record<string, string>>;

interface Base {
  readonly id: string;
  readonly created: number;
  readonly livemode: false;
}

export interface ApiErrorBody {
  readonly type: 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error';
  readonly message: string;
  readonly code?: string;
  readonly decline_code?: string;
  readonly param?: string;
  readonly charge?: string;
  readonly payment_intent?: unknown;
  readonly setup_intent?: unknown;
}

export interface NextAction {
  readonly type: 'redirect_to_url';
  readonly redirect_to_url: { readonly url: string; readonly return_url: string };
}

export interface PaymentIntent extends Base {
  readonly object: 'payment_intent';
  readonly amount: number;
  readonly amount_capturable: number;
  readonly amount_received: number;
  readonly canceled_at: number | null;
  readonly capture_method: 'automatic' | 'automatic_async' | 'manual';
  readonly client_secret: string;
  readonly currency: string;
  readonly customer: string | null;
  readonly description: string | null;
  readonly last_payment_error: ApiErrorBody | null;
  readonly latest_charge: string | null;
  readonly metadata: Metadata;
  readonly next_action: NextAction | null;
  readonly payment_method: string | null;
  readonly payment_method_types: readonly string[];
  readonly status:
    | 'requires_payment_method'
    | 'requires_confirmation'
    | 'requires_action'
    | 'processing'
    | 'requires_capture'
    | 'succeeded'
    | 'canceled';
}

export interface SetupIntent extends Base {
  readonly object: 'setup_intent';
  readonly client_secret: string;
  readonly customer: string | null;
  readonly last_setup_error: ApiErrorBody | null;
  readonly metadata: Metadata;
  readonly next_action: NextAction | null;
  readonly payment_method: string | null;
  readonly status: 'requires_payment_method' | 'requires_action' | 'succeeded' | 'canceled';
  readonly usage: string;
}

/** A page of Stripe's Checkout that sets a card up (`mode: 'setup'`). */
export interface CheckoutSession extends Base {
  readonly object: 'checkout.session';
  readonly cancel_url: string;
  readonly currency: string | null;
  readonly customer: string;
  readonly expires_at: number;
  readonly metadata: Metadata;
  readonly mode: 'setup';
  readonly payment_status: 'no_payment_required';
  /** Null before the buyer has given a card. */
  readonly setup_intent: string | null;
  readonly status: 'open' | 'complete' | 'expired';
  readonly success_url: string;
  readonly url: string | null;
}

export interface Charge extends Base {
  readonly object: 'charge';
  readonly amount: number;
  readonly amount_captured: number;
  readonly amount_refunded: number;
  readonly balance_transaction: string | null;
  readonly captured: boolean;
  readonly currency: string;
  readonly customer: string | null;
  readonly dispute: string | null;
  readonly disputed: boolean;
  readonly failure_code: string | null;
  readonly metadata: Metadata;
  readonly paid: boolean;
  readonly payment_intent: string;
  readonly payment_method: string;
  readonly payment_method_details: {
    readonly type: 'card';
    readonly card: { readonly brand: string; readonly last4: string; readonly fingerprint: string };
  };
  readonly refunded: boolean;
  readonly status: 'succeeded' | 'failed';
}

export interface Refund extends Base {
  readonly object: 'refund';
  readonly amount: number;
  readonly balance_transaction: string | null;
  readonly charge: string;
  readonly currency: string;
  readonly failure_balance_transaction?: string;
  readonly failure_reason?: string;
  readonly metadata: Metadata;
  readonly payment_intent: string;
  readonly status: 'pending' | 'succeeded' | 'failed';
}

export interface Payout extends Base {
  readonly object: 'payout';
  readonly amount: number;
  readonly arrival_date: number;
  readonly automatic: false;
  readonly balance_transaction: string | null;
  readonly currency: string;
  readonly description: string | null;
  readonly destination: string;
  readonly failure_balance_transaction: string | null;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
  readonly metadata: Metadata;
  readonly method: 'standard';
  readonly status: 'pending' | 'in_transit' | 'paid' | 'failed' | 'canceled';
  readonly type: 'bank_account';
}

export interface Dispute extends Base {
  readonly object: 'dispute';
  readonly amount: number;
  readonly balance_transactions: readonly BalanceTransaction[];
  readonly charge: string;
  readonly currency: string;
  readonly evidence: Metadata;
  readonly evidence_details: {
    readonly due_by: number;
    readonly has_evidence: boolean;
    readonly submission_count: number;
  };
  readonly metadata: Metadata;
  readonly payment_intent: string;
  readonly reason: string;
  readonly status: 'needs_response' | 'under_review' | 'won' | 'lost';
}

export interface BalanceTransaction extends Base {
  readonly object: 'balance_transaction';
  readonly amount: number;
  readonly available_on: number;
  readonly currency: string;
  readonly description: string | null;
  readonly fee: number;
  readonly net: number;
  readonly reporting_category: ReportingCategory;
  readonly source: string;
  readonly status: 'available';
  readonly type: BalanceTransactionType;
}

export type BalanceTransactionType =
  | 'charge'
  | 'refund'
  | 'refund_failure'
  | 'adjustment'
  | 'payout'
  | 'payout_failure'
  | 'payout_cancel'
  | 'topup';

export type ReportingCategory =
  | 'charge'
  | 'refund'
  | 'refund_failure'
  | 'dispute'
  | 'dispute_reversal'
  | 'payout'
  | 'payout_reversal'
  | 'topup';

export interface Topup extends Base {
  readonly object: 'topup';
  readonly amount: number;
  readonly balance_transaction: string;
  readonly currency: string;
  readonly metadata: Metadata;
  readonly status: 'succeeded';
}

export interface Customer extends Base {
  readonly object: 'customer';
  readonly metadata: Metadata;
  /** Methods that an authentication has bound to the customer: member of the sandbox's books only. */
  readonly methods: readonly string[];
}

/** A method of the hosted page, or one made from a test token. Never a card number. */
export interface PaymentMethod extends Base {
  readonly object: 'payment_method';
  readonly type: 'card';
  readonly customer: string | null;
  readonly card: { readonly brand: string; readonly last4: string; readonly fingerprint: string };
  /** The test token that says how it behaves. */
  readonly token: string;
}

export interface Event extends Base {
  readonly object: 'event';
  readonly api_version: string;
  readonly data: { readonly object: object };
  readonly pending_webhooks: number;
  readonly request: { readonly id: string | null; readonly idempotency_key: string | null };
  readonly type: string;
}

export interface WebhookEndpoint extends Base {
  readonly object: 'webhook_endpoint';
  readonly api_version: string | null;
  readonly enabled_events: readonly string[];
  readonly metadata: Metadata;
  readonly secret: string;
  readonly status: 'enabled' | 'disabled';
  readonly url: string;
}

export interface ReportRun extends Base {
  readonly object: 'reporting.report_run';
  readonly error: string | null;
  readonly parameters: {
    readonly interval_start: number;
    readonly interval_end: number;
    readonly columns: readonly string[];
    readonly timezone: string;
  };
  readonly report_type: string;
  readonly result: { readonly id: string; readonly object: 'file'; readonly url: string } | null;
  readonly status: 'pending' | 'succeeded';
  readonly succeeded_at: number | null;
}

/** What was uploaded. Its content is a member of the sandbox's books only, as base64. */
export interface StoredFile extends Base {
  readonly object: 'file';
  readonly filename: string;
  readonly purpose: string;
  readonly size: number;
  readonly type: string;
  readonly content: string;
}

export interface Objects {
  readonly payment_intent: PaymentIntent;
  readonly setup_intent: SetupIntent;
  readonly 'checkout.session': CheckoutSession;
  readonly charge: Charge;
  readonly refund: Refund;
  readonly payout: Payout;
  readonly dispute: Dispute;
  readonly balance_transaction: BalanceTransaction;
  readonly topup: Topup;
  readonly customer: Customer;
  readonly payment_method: PaymentMethod;
  readonly event: Event;
  readonly webhook_endpoint: WebhookEndpoint;
  readonly 'reporting.report_run': ReportRun;
  readonly file: StoredFile;
}

export type Kind = keyof Objects;

/** What ids begin with, as at Stripe. */
export const prefixes: Readonly<Record<Kind, string>> = {
  payment_intent: 'pi_',
  setup_intent: 'seti_',
  'checkout.session': 'cs_test_',
  charge: 'ch_',
  refund: 're_',
  payout: 'po_',
  dispute: 'dp_',
  balance_transaction: 'txn_',
  topup: 'tu_',
  customer: 'cus_',
  payment_method: 'pm_',
  event: 'evt_',
  webhook_endpoint: 'we_',
  'reporting.report_run': 'frr_',
  file: 'file_',
};

/** The kind of the object that an id names, or undefined. */
export function kindOfId(id: string): Kind | undefined {
  const kinds = Object.keys(prefixes) as Kind[];
  return kinds.find((kind) => id.startsWith(prefixes[kind]));
}
