import { type Clock, newId, type SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { type Reactor, reactorStream, runReactor } from '@annals/projection';

type Known = Pick<Reactor, 'name' | 'categories'>;

/** A reactor that only says where it begins: nothing is done by it. */
export function reactorAtRest({ name, categories }: Known): Reactor {
  const never = () => Promise.reject(new TypeError(`${name} does nothing here`));
  const effects = { decode: never, wants: () => false, perform: never, lookUp: never };
  return { ...{ name, categories, concurrencyMax: 1, callWithinMs: 0 }, ...effects };
}

/** Whether nothing has happened yet that the reactor could have done: begun at the beginning it repeats nothing. */
export async function isUntouched(
  log: Pick<EventLog, 'read'>,
  { categories }: Pick<Known, 'categories'>,
): Promise<boolean> {
  const { events } = await log.read('start', { categories }, { limit: 1 });
  return events.length === 0;
}

/**
 * Writes down that reactors begin at the beginning, where nothing has happened yet that they could have done. To be called
 * before the first command is taken: a process that works comes up later, or dies before it has written anything,
 * and whoever came after it could not tell whether something was done.
 */
export async function beginReactors(
  means: { readonly log: EventLog; readonly cipher: SubjectCipher; readonly clock: Clock },
  reactors: readonly Known[],
): Promise<void> {
  const { log } = means;
  for (const known of reactors) {
    const { head } = await log.readStream(reactorStream(known.name), { limit: 1 });
    if (head !== 'no-stream' || !(await isUntouched(log, known))) continue;
    const [reactor, signal] = [reactorAtRest(known), AbortSignal.abort()];
    // Another process that does the same is as good.
    await runReactor({ ...means, reactor, from: {}, runId: newId(), signal });
  }
}
