import { type Checkpoint, decodeCheckpoint, type RecordedEvent } from '@annals/event-log';
import type { Anchor, OpenEffect, ReactorEventType } from './events.ts';

/** A reactor's progress: the fold of its stream since its last `reactor-progressed`. */
export interface Progress {
  readonly checkpoint: Checkpoint;
  /** Null while the checkpoint is the beginning. */
  readonly anchor: Anchor;
  /** Effects beyond the checkpoint whose intent is durable, by effect id. */
  readonly open: ReadonlyMap<string, OpenEffect>;
}

/** Whether an event restates the whole progress, so that nothing before it need be read. */
export function restatesProgress(event: RecordedEvent<ReactorEventType>): boolean {
  return event.type === 'reactor-started' || event.type === 'reactor-progressed';
}

export function evolveProgress(
  progress: Progress | undefined,
  event: RecordedEvent<ReactorEventType>,
): Progress {
  switch (event.type) {
    case 'reactor-started':
      return {
        checkpoint: readCheckpoint(event.data.from),
        anchor: event.data.anchor,
        open: new Map(),
      };
    case 'reactor-progressed':
      return {
        checkpoint: readCheckpoint(event.data.checkpoint),
        anchor: event.data.anchor,
        open: new Map(event.data.open.map((effect) => [effect.effect_id, effect])),
      };
    case 'effect-intended': {
      const { run: _, ...intended } = event.data;
      return withOpen(progress, { ...intended, state: 'intended' });
    }
    case 'effect-done':
    case 'effect-failed': {
      const open = progress?.open.get(event.data.effect_id);
      return open ? withOpen(progress, { ...open, state: 'settled' }) : started(progress);
    }
  }
}

function withOpen(progress: Progress | undefined, effect: OpenEffect): Progress {
  const { checkpoint, anchor, open } = started(progress);
  return { checkpoint, anchor, open: new Map(open).set(effect.effect_id, effect) };
}

function started(progress: Progress | undefined): Progress {
  if (!progress) throw new Error('a reactor stream begins with reactor-started');
  return progress;
}

function readCheckpoint(text: string): Checkpoint {
  const checkpoint = decodeCheckpoint(text);
  if (!checkpoint) throw new Error(`a reactor event holds ${JSON.stringify(text)} as checkpoint`);
  return checkpoint;
}
