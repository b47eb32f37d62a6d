import type { SummaryQuery, SummaryRow } from './ledger.ts';

export const summarySql = {
  revenue: `SELECT day, seller_account, currency, captures, gross, platform_fees, psp_fees, refunds
    FROM revenue WHERE day >= ? AND day <= ?`,
} as const;

export interface RevenueRow {
  readonly day: string;
  readonly seller_account: string;
  readonly currency: string;
  readonly captures: number;
  readonly gross: string;
  readonly platform_fees: string;
  readonly psp_fees: string;
  readonly refunds: string;
}

/** The rows of the ledger's days, added up by what the query keeps apart. */
export function summed(found: readonly RevenueRow[], query: SummaryQuery): SummaryRow[] {
  const { currency, seller, by } = query;
  const rows = new Map<string, SummaryRow>();
  for (const row of found) {
    if (currency !== undefined && row.currency !== currency) continue;
    if (seller !== undefined && row.seller_account !== seller) continue;
    const group = {
      ...(by.includes('day') ? { day: row.day } : {}),
      ...(by.includes('seller') ? { seller: row.seller_account } : {}),
      currency: row.currency,
    };
    const key = JSON.stringify(group);
    rows.set(key, added(rows.get(key) ?? { ...group, ...nothingSold }, row));
  }
  return [...rows.values()].sort(
    (a, b) =>
      compare(a.day ?? '', b.day ?? '') ||
      compare(a.seller ?? '', b.seller ?? '') ||
      compare(a.currency, b.currency),
  );
}

const nothingSold = {
  captures: 0,
  gross: 0n,
  platformFees: 0n,
  pspFees: 0n,
  refunds: 0n,
  netRevenue: 0n,
} as const;

function added(sum: SummaryRow, row: RevenueRow): SummaryRow {
  const platformFees = sum.platformFees + BigInt(row.platform_fees);
  const pspFees = sum.pspFees + BigInt(row.psp_fees);
  return {
    ...sum,
    captures: sum.captures + row.captures,
    gross: sum.gross + BigInt(row.gross),
    platformFees,
    pspFees,
    refunds: sum.refunds + BigInt(row.refunds),
    netRevenue: platformFees - pspFees,
  };
}

export function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
