import type { RecordedIdempotencyEvent } from './events.ts';

/** The request a key is bound to. */
interface Bound {
  readonly subject: string;
  readonly fingerprint: string;
  /** When it was begun first: the time its operation works with, whoever goes on with it. */
  readonly begunAt: number;
}

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  /** Undefined where the person it is about was erased. */
  readonly body: string | undefined;
}

/** One key as its events tell it. */
export type KeyState = {
  /** How often the key was pruned: each life has an effect of its own. */
  readonly life: number;
  /** Events of the stream, so that each decision has ids of its own. */
  readonly events: number;
} & (
  | { readonly kind: 'free' }
  | ({ readonly kind: 'held'; readonly holder: string; readonly heldUntil: number } & Bound)
  | ({ readonly kind: 'answered'; readonly answer: Answer } & Bound)
);

export const newKey: KeyState = { kind: 'free', life: 0, events: 0 };

type Told = Pick<RecordedIdempotencyEvent, 'type' | 'data' | 'occurredAt'>;

export function evolveKey(state: KeyState, event: Told): KeyState {
  const { type, data, occurredAt } = event as RecordedIdempotencyEvent;
  const at = { life: state.life, events: state.events + 1 };
  switch (type) {
    case 'request-begun': {
      const { subject, fingerprint, holder, held_until: heldUntil } = data;
      return { ...at, kind: 'held', subject, fingerprint, begunAt: occurredAt, holder, heldUntil };
    }
    case 'request-resumed':
      if (state.kind !== 'held') return { ...state, ...at };
      return { ...state, ...at, holder: data.holder, heldUntil: data.held_until };
    case 'request-answered': {
      if (state.kind !== 'held') return { ...state, ...at };
      const { subject, fingerprint, begunAt } = state;
      const answer = { status: data.status, contentType: data.content_type, body: data.body };
      return { ...at, kind: 'answered', subject, fingerprint, begunAt, answer };
    }
    case 'request-released':
      if (state.kind !== 'held') return { ...state, ...at };
      return data.effect === 'none' ? { ...at, kind: 'free' } : { ...state, ...at, heldUntil: 0 };
    case 'request-pruned':
      return { kind: 'free', life: state.life + 1, events: at.events };
  }
}
