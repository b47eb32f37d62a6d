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

/** What a shop may show in a dispute, each as one file. */
export const evidenceFileFields = [
  'receipt',
  'customer_communication',
  'customer_signature',
  'service_documentation',
  'shipping_documentation',
  'refund_policy',
  'cancellation_policy',
  'duplicate_charge_documentation',
  'uncategorized_file',
] as const;
export type EvidenceFileField = (typeof evidenceFileFields)[number];

export const evidenceFileTypes = ['application/pdf', 'image/jpeg', 'image/png'] as const;
export type EvidenceFileType = (typeof evidenceFileTypes)[number];

export interface EvidenceFile {
  readonly field: EvidenceFileField;
  readonly type: EvidenceFileType;
  readonly bytes: Uint8Array;
}

export const evidenceFileLimits = {
  /** Of all files of one answer: what Stripe takes together. */
  bytesMax: 4_500_000,
} as const;

/** What files of a type begin with. */
const beginnings: readonly (readonly [EvidenceFileType, readonly number[]])[] = [
  ['application/pdf', [0x25, 0x50, 0x44, 0x46, 0x2d]],
  ['image/jpeg', [0xff, 0xd8, 0xff]],
  ['image/png', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
];

/** The type by the bytes, whatever the file is called; undefined for one that providers do not take. */
export function evidenceFileType(bytes: Uint8Array): EvidenceFileType | undefined {
  return beginnings.find(([, begins]) => begins.every((byte, at) => bytes[at] === byte))?.[0];
}
