import { type NightMeans, type NightReport, reconcileNight } from '@annals/payments/reconciliation';
import type { NightlyMeans } from '@annals/payments/runtime';

/** The nightly reconciliation of every process. */
export class Nights {
  /** What every night that came to its end said, with the day it was of. */
  readonly reports: NightReport[] = [];

  of(means: NightMeans): NightlyMeans['reconcileNight'] {
    return async (day, signal) => {
      const report = await reconcileNight(means, day, signal);
      if (report.kind === 'refused') return 'later';
      this.reports.push(report);
      return report.kind;
    };
  }
}
