import { ledgerProjection, walletsProjection } from '@annals/payments';
import { generationDirectory, runProjector } from '@annals/projection';
import { openEmbedded } from '@annals/projector';

/** A process that keeps the ledger and the wallets of a data folder, as the projector of a platform does, until the channel closes. */
export interface FromPaymentsProjector {
  readonly kind: 'running';
}

const [dataFolder = ''] = process.argv.slice(2);
const stopping = new AbortController();
process.on('disconnect', () => stopping.abort());
const { signal } = stopping;
const site = await openEmbedded({ dataFolder, mustExist: true });
const { cipher, clock } = site;
const log = site.logOf('payments');
const directory = generationDirectory(log, { signal, clock });
const { done } = runProjector({
  ...{ log, cipher, directory, clock, signal, holder: `bench/${process.pid}` },
  projections: [ledgerProjection, walletsProjection],
  storeFor: (projection) => site.storeFor(projection),
});
const message: FromPaymentsProjector = { kind: 'running' };
process.send?.(message);
await done;
await site.close();
