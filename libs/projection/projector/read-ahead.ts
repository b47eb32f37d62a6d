import type { Delivery } from '@annals/event-log';
import type { SessionCourse } from './session-course.ts';

/** A subscription that is read one delivery ahead, no more: each is taken when its turn has come. */
export class ReadAhead {
  readonly #course: SessionCourse;
  #iterator: AsyncIterator<Delivery> | undefined;
  #pulling = false;
  #arrived: IteratorResult<Delivery> | undefined;

  constructor(course: SessionCourse) {
    this.#course = course;
  }

  begin(deliveries: AsyncIterable<Delivery>): void {
    this.#iterator = deliveries[Symbol.asyncIterator]();
    this.#pull();
  }

  get hasArrived(): boolean {
    return this.#arrived !== undefined;
  }

  /** What has arrived, if anything has; the next one is asked for. */
  take(): IteratorResult<Delivery> | undefined {
    const arrived = this.#arrived;
    if (!arrived) return undefined;
    this.#arrived = undefined;
    if (!arrived.done) this.#pull();
    return arrived;
  }

  #pull(): void {
    if (this.#pulling || this.#arrived || !this.#iterator) return;
    this.#pulling = true;
    this.#iterator.next().then(
      (arrived) => {
        this.#pulling = false;
        this.#arrived = arrived;
        this.#course.wake();
      },
      (error: unknown) => this.#course.end({ kind: 'again', error }),
    );
  }

  /** The session's signal has ended it; an adapter that still reads is not waited for. */
  letGo(): void {
    this.#iterator?.return?.().catch(() => undefined);
  }
}
