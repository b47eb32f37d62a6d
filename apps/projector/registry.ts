import { leaderboardArchiveProjection, leaderboardProjection } from '@annals/leaderboard';
import { ledgerProjection, paymentsProjection, walletsProjection } from '@annals/payments';
import { reconciliationProjection } from '@annals/payments/reconciliation';
import { webhooksProjection } from '@annals/payments/webhooks-out';
import type { Projection } from '@annals/projection';
import type { SiteConfig } from './site/site-config.ts';
import type { StoreKind } from './site/store-url.ts';

interface Product {
  /** As in `ANNALS_<NAME>_LOG` and `ANNALS_<NAME>_STORE`. */
  readonly name: string;
  readonly projections: readonly Projection[];
  /** Stores that its read models can be kept in and read from. */
  readonly storeKinds: readonly StoreKind[];
  /** What is kept besides where `ANNALS_<NAME>_ARCHIVE` says where: no personal data. */
  readonly archive?: {
    readonly projection: Projection;
    readonly storeKinds: readonly StoreKind[];
  };
}

/** Every product of the platform. */
export const products = [
  {
    name: 'leaderboard',
    projections: [leaderboardProjection],
    storeKinds: ['sqlite', 'redis', 'cassandra'],
    archive: { projection: leaderboardArchiveProjection, storeKinds: ['sqlite', 'cassandra'] },
  },
  {
    name: 'payments',
    projections: [
      ledgerProjection,
      walletsProjection,
      paymentsProjection,
      webhooksProjection,
      reconciliationProjection,
    ],
    storeKinds: ['sqlite', 'cassandra'],
  },
] as const satisfies readonly Product[];

export type ProductName = (typeof products)[number]['name'];
export const productNames: readonly ProductName[] = products.map(({ name }) => name);

/** Every projection of the platform. One that is registered here is run, rebuilt, verified and tested. */
export const projections: readonly Projection[] = products.flatMap((product: Product) => [
  ...product.projections,
  ...(product.archive ? [product.archive.projection] : []),
]);

/** Those that a site keeps: an archive only where the configuration names one. */
export function projectionsOf({ archives }: Pick<SiteConfig, 'archives'>): readonly Projection[] {
  return projections.filter((projection) => {
    return !isArchive(projection) || archives[productOf(projection)] !== undefined;
  });
}

/** Whether a projection is the archive of its product, which has a store of its own. */
export function isArchive({ name }: Projection): boolean {
  return products.some(({ archive }: Product) => archive?.projection.name === name);
}

export function projectionNamed(name: string): Projection | undefined {
  return projections.find((projection) => projection.name === name);
}

/** The product that a projection of the registry belongs to. */
export function productOf(projection: Projection): ProductName {
  const product = products.find(({ projections: own, archive }: Product) => {
    return [...own, archive?.projection].some((one) => one?.name === projection.name);
  });
  if (product) return product.name;
  throw new RangeError(`no product has a projection ${projection.name}`);
}
