import type { Mark, Replica } from '@annals/event-log-sqlite/replica';
import { kafkaLimits } from './kafka-limits.ts';

/** The place of a mark that is never dropped. */
const forEver = Number.MAX_SAFE_INTEGER;

/**
 * Append ids whose fate is settled though nothing of theirs is stored. Voided ones are kept for ever:
 * a record may arrive however late, and they are rare. Refused ones are kept for as many offsets as a
 * copy of a record could be late.
 */
export class SettledIds {
  readonly #voided = new Set<string>();
  readonly #refused = new Map<string, number>();

  constructor(marks: readonly Mark[]) {
    for (const { key, place } of marks) {
      const appendId = Buffer.from(key).toString('hex');
      if (place === forEver) this.#voided.add(appendId);
      else this.#refused.set(appendId, place);
    }
  }

  /** Whether the record at `offset` comes too late for its append id. */
  has(appendId: string, offset: number): boolean {
    if (this.#voided.size > 0 && this.#voided.has(appendId)) return true;
    const refusedAt = this.#refused.size > 0 ? this.#refused.get(appendId) : undefined;
    return refusedAt !== undefined && offset - refusedAt <= kafkaLimits.refusedOffsetsMax;
  }

  void(replica: Replica, appendId: string): void {
    this.#voided.add(appendId);
    replica.mark({ key: Buffer.from(appendId, 'hex'), place: forEver });
  }

  refuse(replica: Replica, appendId: string, offset: number): void {
    this.#refused.set(appendId, offset);
    replica.mark({ key: Buffer.from(appendId, 'hex'), place: offset });
  }

  /** Drops what no record behind `offset` will be asked for. */
  forget(replica: Replica, offset: number): void {
    const before = offset - kafkaLimits.refusedOffsetsMax;
    let dropped = false;
    for (const [appendId, place] of this.#refused) {
      if (place >= before) break;
      this.#refused.delete(appendId);
      dropped = true;
    }
    if (dropped) replica.dropMarks(before);
  }
}
