/** What a shop may say in a dispute, each as text; providers take what they know. */
export const evidenceFields = [
  'statement',
  'product_description',
  'service_date',
  'shipping_date',
  'shipping_carrier',
  'shipping_tracking_number',
  'shipping_address',
  'access_activity_log',
  'refund_policy_disclosure',
  'refund_refusal_explanation',
  'cancellation_policy_disclosure',
  'cancellation_rebuttal',
  'duplicate_charge_explanation',
] as const;
export type EvidenceField = (typeof evidenceFields)[number];

export type Evidence = { readonly [Field in EvidenceField]?: string | undefined };
