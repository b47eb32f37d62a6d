import { idFromKey } from '@annals/core';
import {
  type Checkpoint,
  decodeCheckpoint,
  EventTypes,
  encodeCheckpoint,
  eventType,
} from '@annals/event-log';
import { z } from 'zod';
import { type MarkMeans, Marks } from './marks.ts';

/** How far old answers were pruned. `before`: where the mark before this one stood, which tells a copied log. */
const keysPruned = eventType({
  name: 'keys-pruned',
  schemaVersion: 1,
  schema: z.strictObject({ checkpoint: z.string(), before: z.string().optional() }),
});

export const pruneMarkEvents = new EventTypes([keysPruned]);
const stream = 'keyspruned-all';

/**
 * Where the walk that prunes keys has come to, so that a restart does not begin it anew. Positions mean nothing in a copy
 * of the log: a mark is believed only where the one before it stands where it stood.
 */
export class PruneMarks {
  readonly #means: MarkMeans;
  readonly #marks: Marks<typeof keysPruned>;

  constructor(means: MarkMeans) {
    this.#means = means;
    this.#marks = new Marks(means, pruneMarkEvents, stream);
  }

  async last(): Promise<Checkpoint> {
    const { log, cipher } = this.#means;
    const { events } = await log.readStream(stream, { direction: 'backward', limit: 2 });
    const [last, before] = events;
    const [mark] = await pruneMarkEvents.decode(events.slice(0, 1), cipher);
    if (!last || !before || mark?.data.before !== placeOf(before)) return {};
    return decodeCheckpoint(mark.data.checkpoint) ?? {};
  }

  async put(checkpoint: Checkpoint, at: number): Promise<void> {
    const { log } = this.#means;
    const { events } = await log.readStream(stream, { direction: 'backward', limit: 1 });
    const [last] = events;
    const reached = encodeCheckpoint(checkpoint);
    const data = { checkpoint: reached, ...(last ? { before: placeOf(last) } : {}) };
    const id = idFromKey(keysPruned.name, data.before ?? '', reached);
    await this.#marks.put({ type: keysPruned.name, id, occurredAt: at, data });
  }
}

function placeOf({
  partition,
  position,
}: {
  readonly partition: number;
  readonly position: string;
}) {
  return `${partition}:${position}`;
}
