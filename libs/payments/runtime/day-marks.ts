import { idFromKey } from '@annals/core';
import { EventTypes, eventType } from '@annals/event-log';
import { z } from 'zod';
import { shiftedDay } from '../utc-days.ts';
import { type MarkMeans, Marks } from './marks.ts';

/** Days that were worked off, as events: after a time without a process the days that were missed are made up for. */
const dayWorkedOff = eventType({
  name: 'day-worked-off',
  schemaVersion: 1,
  schema: z.strictObject({ work: z.string(), day: z.iso.date() }),
});
export const dayMarkEvents = new EventTypes([dayWorkedOff]);
export const dayMarkCategory = 'paymentdays';

export const dayMarkLimits = {
  /** Days that are made up for, at most. */
  daysMax: 31,
} as const;

export class DayMarks {
  readonly #marks: Marks<typeof dayWorkedOff>;
  readonly #work: string;

  /** `work`: lower-case words joined by `-`. */
  constructor(means: MarkMeans, work: string) {
    this.#marks = new Marks(means, dayMarkEvents, `${dayMarkCategory}-${work}`);
    this.#work = work;
  }

  /**
   * The days to work off up to `last`, the oldest first. Where none was worked off before, that is `last` alone; the day
   * before it is marked, so that `last` is made up for however late it comes to its end.
   */
  async due(last: string, at: number): Promise<readonly string[]> {
    const mark = await this.#marks.last();
    if (!mark) {
      await this.mark(shiftedDay(last, -1), at);
      return [last];
    }
    const days: string[] = [];
    const { daysMax } = dayMarkLimits;
    const oldest = shiftedDay(last, 1 - daysMax);
    const next = shiftedDay(mark.data.day, 1);
    for (let day = next > oldest ? next : oldest; day <= last; day = shiftedDay(day, 1))
      days.push(day);
    return days;
  }

  /** Throws where nobody can say that the mark is stored: the day is worked off again. */
  async mark(day: string, at: number): Promise<void> {
    const { name: type } = dayWorkedOff;
    const data = { work: this.#work, day };
    await this.#marks.put({ type, id: idFromKey(type, this.#work, day), occurredAt: at, data });
  }
}
