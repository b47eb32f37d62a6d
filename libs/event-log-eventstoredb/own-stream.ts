import { streamNameProblem } from '@annals/event-log';

/**
 * The name in a log of a stream on the server; undefined when no log with this prefix has such a stream. A prefix is cut
 * off by its length, so what another log wrote under a longer one is only told by a name that no stream can have.
 */
export function ownStream(prefix: string, stream: string): string | undefined {
  if (!stream.startsWith(prefix)) return undefined;
  const own = stream.slice(prefix.length);
  return streamNameProblem(own) === undefined ? own : undefined;
}

/** Whether streams under one prefix may be taken for streams of a log under the other one. */
export function areMixed(one: string, other: string): boolean {
  const [shorter, longer] = one.length < other.length ? [one, other] : [other, one];
  return shorter !== longer && ownStream(shorter, `${longer}a-1`) !== undefined;
}
