/** A checkout with all its orders and every move of their money. */
export const checkoutCategory = 'checkout';
/** A seller: its terms, its bank account, its payouts. */
export const sellerCategory = 'seller';

/** What one settlement file or bank statement came to, and what was corrected because of it. */
export const settlementCategory = 'settlement';

export function checkoutStream(checkoutId: string): string {
  return `${checkoutCategory}-${checkoutId}`;
}

export function sellerStream(sellerAccount: string): string {
  return `${sellerCategory}-${sellerAccount}`;
}

/** Whose key seals what a checkout says of its buyer. */
export function buyerSubject(checkoutId: string): string {
  return `buyer:${checkoutId}`;
}

/** The checkout that the subject is the buyer of; undefined for all others. */
export function checkoutOfBuyer(subject: string): string | undefined {
  const prefix = buyerSubject('');
  return subject.startsWith(prefix) ? subject.slice(prefix.length) : undefined;
}

/** Whose key seals a seller's bank account. */
export function sellerSubject(sellerAccount: string): string {
  return `seller:${sellerAccount}`;
}
