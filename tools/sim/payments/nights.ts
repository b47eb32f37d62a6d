import type { Clock } from '@annals/core';
import type { Psp } from '@annals/payments/psp';
import { type NightMeans, type NightReport, reconcileNight } from '@annals/payments/reconciliation';
import type { NightlyMeans } from '@annals/payments/runtime';

/**
 * The nightly reconciliation of a process. It writes scratch files, which takes real time: meanwhile virtual time stands
 * still, and one night is worked on after the other, so that the same seed gives the same run.
 */
export class Nights {
  /** What every night that came to its end said, with the day it was of. */
  readonly reports: NightReport[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #underWay = 0;
  #waiting = 0;

  /** Whether a night is worked on that does not wait for anything of this world. */
  get isBusy(): boolean {
    return this.#underWay > this.#waiting;
  }

  of(means: NightMeans): NightlyMeans['reconcileNight'] {
    const { movements, books, clock, psps } = means;
    const patient: NightMeans = {
      ...means,
      clock: this.#clock(clock),
      psps: psps.map((psp) => this.#psp(psp)),
      movements: {
        movements: (query) => movements.movements(query),
        waitFor: (...given) => this.#wait(movements.waitFor(...given)),
      },
      ...(books ? { books: { compare: (signal) => this.#wait(books.compare(signal)) } } : {}),
    };
    return async (day, signal) => {
      const before = this.#last;
      const done = Promise.withResolvers<void>();
      this.#last = done.promise;
      this.#underWay += 1;
      try {
        await this.#wait(before);
        if (signal.aborted) return 'later';
        const report = await reconcileNight(patient, day, signal);
        if (report.kind === 'refused') return 'later';
        this.reports.push(report);
        return report.kind;
      } finally {
        this.#underWay -= 1;
        done.resolve();
      }
    };
  }

  async #wait<T>(work: Promise<T>): Promise<T> {
    this.#waiting += 1;
    try {
      return await work;
    } finally {
      this.#waiting -= 1;
    }
  }

  #clock(clock: Clock): Clock {
    return { now: () => clock.now(), sleep: (...given) => this.#wait(clock.sleep(...given)) };
  }

  #psp(psp: NightMeans['psps'][number]): Pick<Psp, 'name' | 'settlementFile'> {
    return {
      name: psp.name,
      settlementFile: (...given) => this.#wait(psp.settlementFile(...given)),
    };
  }
}
