/**
 * What a key needs for what, in one table. `payments:read` comes with each of the others; none of the others comes with
 * another, so that who takes payments cannot refund them, and who refunds cannot pay out.
 */
export const scopes = {
  /** How payments stand. */
  read: 'payments:read',
  /** Buyer-facing: the checkout of a shop. */
  pay: 'payments:buyer',
  /** What becomes of an order that was taken. */
  sell: 'payments:merchant',
  /** The books, and money that leaves. */
  finance: 'payments:finance',
  /** Who sells, on which terms, and where the money goes. */
  admin: 'payments:admin',
} as const;
