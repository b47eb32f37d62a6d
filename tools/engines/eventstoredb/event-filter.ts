/** A filter of `$all` that the server applies. */
export interface EventFilter {
  readonly on: 'stream' | 'type';
  readonly prefixes: readonly string[];
  /** Empty: none. */
  readonly regex: string;
  /** How many events are looked at between two checkpoints. */
  readonly checkpointEvents: number;
}

/** Whether an event passes. Throws a SyntaxError for an expression that is none. */
export function passes(
  filter: EventFilter | undefined,
): (event: { readonly stream: string; readonly type: string }) => boolean {
  if (!filter) return () => true;
  const regex = filter.regex === '' ? undefined : new RegExp(filter.regex);
  return (event) => {
    const text = filter.on === 'stream' ? event.stream : event.type;
    return regex ? regex.test(text) : filter.prefixes.some((prefix) => text.startsWith(prefix));
  };
}
