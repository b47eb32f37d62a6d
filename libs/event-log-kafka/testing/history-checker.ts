import type { AppendResult, StoredEvent } from '@annals/event-log';
import type { Said } from './contending-writer.ts';

interface Asked {
  readonly stream: string;
  readonly expected: number | 'no-stream' | 'any';
  readonly ids: readonly string[];
  told: AppendResult | undefined;
}

/**
 * What is wrong with a log, given what each process said that it asked and was told. No process asks
 * for the same event twice, so whoever was not answered is there once or not at all.
 */
export function faultsIn(
  histories: readonly (readonly Said[])[],
  streams: ReadonlyMap<string, readonly StoredEvent[]>,
): string[] {
  const faults: string[] = [];
  const asked = new Map<string, Asked>();
  for (const history of histories) {
    for (const said of history) {
      if (said.say === 'ask') asked.set(said.ids[0] as string, { ...said, told: undefined });
      if (said.say !== 'told') continue;
      const one = asked.get(said.id);
      if (one) one.told = said.result as AppendResult;
      else faults.push(`${said.id} was told and never asked`);
    }
  }
  const found = new Set<string>();
  for (const [stream, events] of streams) {
    for (let at = 0; at < events.length; ) {
      const first = events[at] as StoredEvent;
      const one = asked.get(first.id);
      if (one?.stream !== stream) {
        faults.push(`${stream} ${at}: ${first.id} was never asked for there`);
        at += 1;
        continue;
      }
      faults.push(...faultsOfStored(one, events, at));
      if (found.has(first.id)) faults.push(`${stream} ${at}: ${first.id} is there twice`);
      found.add(first.id);
      at += one.ids.length;
    }
  }
  for (const [id, { told, stream }] of asked) {
    if (told?.kind === 'stored' && !found.has(id)) faults.push(`${stream}: ${id} is lost`);
  }
  return faults;
}

/** Faults of one append whose first event is at index `at` of its stream. */
function faultsOfStored(
  { stream, expected, ids, told }: Asked,
  events: readonly StoredEvent[],
  at: number,
): string[] {
  const faults: string[] = [];
  const where = `${stream} ${at}`;
  const there = events.slice(at, at + ids.length);
  if (there.map((event) => event.id).join() !== ids.join()) faults.push(`${where}: not whole`);
  if (there.some((event, index) => event.revision !== at + index)) {
    faults.push(`${where}: its revisions are not its places`);
  }
  const before = at === 0 ? 'no-stream' : at - 1;
  if (expected !== 'any' && expected !== before) {
    faults.push(`${where}: accepted behind ${before}, and it expected ${expected}`);
  }
  if (told === undefined || told.kind === 'unknown') return faults;
  if (told.kind !== 'stored') return [...faults, `${where}: stored, and told ${told.kind}`];
  const last = there.at(-1);
  const { revision, position, partition } = told;
  if (last?.revision !== revision || last.position !== position || last.partition !== partition) {
    faults.push(`${where}: stored at another place than was told`);
  }
  return faults;
}
