export * from './port.ts';
export { type StripeOptions, stripePsp, stripeSearchLagMs, stripeTerms } from './stripe.ts';
