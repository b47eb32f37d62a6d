/** What a command comes to that is not carried out. */
export interface Refused<Reason extends string = string> {
  readonly kind: 'refused';
  /** Stable; part of the API. */
  readonly reason: Reason;
  /** A sentence for the caller. */
  readonly detail: string;
}

export function refused<Reason extends string>(reason: Reason, detail: string): Refused<Reason> {
  return { kind: 'refused', reason, detail };
}

/** What a command decides: events to append to one stream, at the revision they were decided on; none when nothing changes. */
export interface Decided<Event> {
  readonly kind: 'decided';
  readonly events: readonly Event[];
}

export function decided<Event>(...events: readonly Event[]): Decided<Event> {
  return { kind: 'decided', events };
}
