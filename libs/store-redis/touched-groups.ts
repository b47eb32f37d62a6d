import { limits } from './limits.ts';

/** The groups whose places changed since somebody looked at their borders. */
export class TouchedGroups {
  readonly #keys = new Map<string, number>();
  #places = 0;

  get places(): number {
    return this.#places;
  }

  add(key: string): void {
    this.#keys.set(key, (this.#keys.get(key) ?? 0) + 1);
    this.#places += 1;
  }

  /** Those that changed most; all are forgotten. */
  take(): string[] {
    const most = [...this.#keys].sort((a, b) => b[1] - a[1]);
    this.#keys.clear();
    this.#places = 0;
    return most.slice(0, limits.borderLookGroupsMax).map(([key]) => key);
  }
}
