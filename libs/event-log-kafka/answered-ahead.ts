/**
 * The partitions of which more was answered than the replica has committed, so that whoever reads waits for
 * the commits that he needs, and for no later ones however busy the log is.
 */
export class AnsweredAhead {
  readonly #ahead = new Set<number>();
  readonly #commits = new Map<number, number>();

  answered(partition: number): void {
    this.#ahead.add(partition);
  }

  /** All that was answered of them until now can be read. */
  committed(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.#ahead.delete(partition);
      this.#commits.set(partition, this.#commitsOf(partition) + 1);
    }
  }

  /** Tells, whenever it is asked, whether all that was answered until now is committed; undefined when it is. */
  wait(): (() => boolean) | undefined {
    if (this.#ahead.size === 0) return undefined;
    const before = [...this.#ahead].map((partition) => ({
      partition,
      commits: this.#commitsOf(partition),
    }));
    return () => before.every(({ partition, commits }) => this.#commitsOf(partition) > commits);
  }

  #commitsOf(partition: number): number {
    return this.#commits.get(partition) ?? 0;
  }
}
