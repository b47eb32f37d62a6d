import { postingsOfPayment } from '../data/payment-feed.ts';
import { alternate, type BenchCase } from '../harness.ts';
import { rebuildOnce, scanOnce } from '../processes/rebuilds.ts';

const reach = 0.4;

/** Both pass the whole log of the same payments; what counts is how long, told in the postings that are in it. */
export const ledgerRebuild: BenchCase = {
  name: 'ledger-rebuild',
  summary: 'rebuild of the ledger beside a raw scan of its log',
  run: async ({ scale: { longRounds, million }, tell, prepared }) => {
    const payments = million / 10;
    const folder = await prepared.payments(payments);
    const postings = payments * postingsOfPayment();
    let events = 0;
    const perSecond = (elapsedMs: number) => (postings * 1_000) / elapsedMs;
    const measured = await alternate(
      longRounds,
      async () => {
        const { elapsedMs } = await rebuildOnce(folder, { projection: 'ledger' });
        tell(`${perSecond(elapsedMs).toFixed(0)} postings/s`);
        return perSecond(elapsedMs);
      },
      async () => {
        const scanned = await scanOnce(folder);
        events = scanned.events;
        tell(`raw scan: ${perSecond(scanned.elapsedMs).toFixed(0)} postings/s`);
        return perSecond(scanned.elapsedMs);
      },
    );
    const count = (value: number) => value.toLocaleString('en-US');
    return [
      {
        work: `rebuild of the ledger: ${count(payments)} payments, ${count(postings)} postings`,
        ours: { value: measured.ours, unit: 'postings/s' },
        peer: 'raw scan of the log with JSON.parse',
        theirs: { value: measured.theirs, unit: 'postings/s' },
        ratio: measured.ratio,
        reach: `≥ ${reach}`,
        met: measured.ratio >= reach,
        remark: `one worker, ${count(events)} events`,
      },
    ];
  },
};
