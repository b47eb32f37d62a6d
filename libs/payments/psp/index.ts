export {
  type BreakerOptions,
  breakerDefaults,
  CircuitBreaker,
  type CircuitState,
} from './circuit-breaker.ts';
export {
  type Evidence,
  type EvidenceField,
  type EvidenceFile,
  type EvidenceFileField,
  type EvidenceFileType,
  evidenceFields,
  evidenceFileFields,
  evidenceFileLimits,
  evidenceFileType,
} from './evidence.ts';
export * from './port.ts';
export {
  type Choice,
  guard,
  mayFailOver,
  PspRouting,
  type Routable,
  type RoutingOptions,
  type RoutingRule,
} from './routing.ts';
export { type StripeOptions, stripePsp, stripeSearchLagMs, stripeTerms } from './stripe.ts';
export { type StripeClientOptions, stripeClient } from './stripe-client.ts';
