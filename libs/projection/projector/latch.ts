/** Something to wait at until it is opened. An opening before the wait is not lost; several count as one. */
export class Latch {
  #open = false;
  #resume: (() => void) | undefined;

  open(): void {
    this.#open = true;
    this.#resume?.();
    this.#resume = undefined;
  }

  /** One waiter at a time. */
  async opened(): Promise<void> {
    if (!this.#open) {
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
      });
    }
    this.#open = false;
  }
}
