import type { KeptFile } from '../evidence-files.ts';
import type { Evidence, EvidenceFile } from '../psp/evidence.ts';
import type {
  DeclineNext,
  DeclineReason,
  PspAuthentication,
  PspDispute,
  PspMoney,
  PspPage,
  PspPayment,
  PspPayout,
  PspRefund,
  RefusalReason,
} from '../psp/port.ts';

/**
 * One call to a provider that was decided on: what an event of the domain asks for. The event is stored before
 * anything is sent, and names everything that the call needs, the provider too: whoever carries it out later sends
 * the same call.
 */
export type PspIntent =
  | IntentOf<'authenticate', AuthenticateIntent>
  | IntentOf<'open_page', OpenPageIntent>
  | IntentOf<'close_page', ClosePageIntent>
  | PaymentIntent
  | MoneyOutIntent
  | IntentOf<'evidence', EvidenceIntent>;

type PaymentIntent =
  | IntentOf<'create', CreateIntent>
  | IntentOf<'confirm', ConfirmIntent>
  | IntentOf<'capture', CaptureIntent>
  | IntentOf<'void', VoidIntent>;

type MoneyOutIntent = IntentOf<'refund', RefundIntent> | IntentOf<'payout', PayoutIntent>;

export type PspCallName = PspIntent['call'];

type IntentOf<Call extends string, Parameters> = Parameters & {
  readonly call: Call;
  /** The id of the event that asks for it: the idempotency key, the same for every resend. */
  readonly key: string;
  readonly psp: string;
  /** When the event was stored, milliseconds since 1970: no call was sent before. */
  readonly intendedAt: number;
};

interface AuthenticateIntent {
  readonly reference: string;
  readonly method: string;
  readonly returnUrl?: string;
}

interface OpenPageIntent {
  readonly reference: string;
  readonly currency: string;
  readonly returnUrl: string;
  readonly expiresAt: number;
}

interface ClosePageIntent {
  readonly pageId: string;
}

interface CreateIntent {
  readonly reference: string;
  readonly amount: PspMoney;
  readonly method: string;
  readonly capture: 'automatic' | 'manual';
  readonly authentication?: string;
  readonly seller?: string;
}

interface ConfirmIntent {
  readonly paymentId: string;
  readonly authentication?: string;
  readonly returnUrl?: string;
}

interface CaptureIntent {
  readonly paymentId: string;
  readonly amount: PspMoney;
}

interface VoidIntent {
  readonly paymentId: string;
}

interface RefundIntent {
  readonly reference: string;
  readonly paymentId: string;
  readonly amount: PspMoney;
}

interface PayoutIntent {
  readonly reference: string;
  readonly amount: PspMoney;
  readonly destination: string;
}

interface EvidenceIntent {
  readonly disputeId: string;
  readonly evidence: Evidence;
  /** Those that are in the log, and what is in them once they were read for a call. */
  readonly kept?: readonly KeptFile[];
  readonly files?: readonly EvidenceFile[];
}

/** An object of the provider, as it was when it was looked at. */
export type PspObject =
  | { readonly kind: 'authentication'; readonly value: PspAuthentication }
  | { readonly kind: 'page'; readonly value: PspPage }
  | { readonly kind: 'payment'; readonly value: PspPayment }
  | { readonly kind: 'refund'; readonly value: PspRefund }
  | { readonly kind: 'payout'; readonly value: PspPayout }
  | { readonly kind: 'dispute'; readonly value: PspDispute };

/** What a call came to: final, and to be written into the domain's stream. Never a guess. */
export type PspOutcome =
  /** The provider holds this object; its status says where the money is. */
  | { readonly kind: 'settled'; readonly object: PspObject }
  /** Surely no money has moved; `next` says what may help: a new attempt, the buyer, or nothing. */
  | {
      readonly kind: 'declined';
      readonly reason: DeclineReason;
      readonly code: string;
      readonly next: DeclineNext;
    }
  /**
   * Surely without effect, and the same call would come to the same. `key_spent`: the provider keeps a fault of its
   * own for this key; a new intent, with a key of its own, may be made.
   */
  | {
      readonly kind: 'refused';
      readonly reason: RefusalReason | 'key_spent';
      readonly detail: string;
      /** The payment as it was found, where its state is the reason. */
      readonly payment?: PspPayment;
    }
  /** Nobody can tell, or not in time: a person has to look. */
  | {
      readonly kind: 'dead_letter';
      readonly reason: DeadLetterReason;
      readonly context: CallContext;
    };

export type DeadLetterReason = 'ambiguous' | 'too_long' | 'unknown_provider' | 'fault';

/** Everything that was tried, for the person who looks. Never personal data: answers say codes, not people. */
export interface CallContext {
  readonly call: PspCallName;
  readonly psp: string;
  readonly key: string;
  readonly intendedAt: number;
  readonly detail: string;
  /** What the last tries came to, the oldest first. */
  readonly tries: readonly Try[];
}

export interface Try {
  readonly at: number;
  readonly what: 'call' | 'look';
  readonly came: string;
}

export const contextTriesMax = 20;
