import { decideAndAppend, readControl } from '../generations/control-stream.ts';
import {
  type Decision,
  decideDrop,
  decidePromote,
  decideRollback,
  type FlipTerms,
  newestRebuilt,
  type Refused,
  refused,
} from '../generations/decide.ts';
import {
  type Generation,
  liveGeneration,
  type ProjectionState,
  type Verdict,
  verdictOf,
} from '../generations/state.ts';
import {
  type Brought,
  bringTo,
  divergenceOf,
  type Operation,
  seenByDirectory,
  withGeneration,
} from './operation.ts';

export interface FlipOptions extends Operation {
  /** How long to wait for the generation to come to where the live one stands; 60,000 unless told. */
  readonly waitMs?: number | undefined;
  /** Also makes a generation live whose last verification found differences. */
  readonly despiteDifferences?: boolean | undefined;
}

export interface PromoteOptions extends FlipOptions {
  /** The newest rebuilt one unless told. */
  readonly generation?: number | undefined;
}

export type FlipOutcome =
  | {
      readonly kind: 'promoted' | 'rolled-back';
      readonly generation: number;
      /** The generation that was live before. */
      readonly previous: number | undefined;
      /** What the last verification of the one that is live now says. */
      readonly verdict: Verdict;
      /** Of a promote: whether a rollback would undo it, as the generation before is there and may be live. */
      readonly canGoBack: boolean;
    }
  /** It did not come to where the live one stands: nothing was changed. */
  | { readonly kind: 'behind'; readonly generation: number; readonly detail: string }
  | Refused;

const waitMsDefault = 60_000;
/** How long the live generation may be held back at the moment of the change. */
const flipHoldMsMax = 5_000;

/**
 * Makes a rebuilt generation live. It waits until that one is at or past the live one, then holds the
 * live one for the moment of the change, so that no reader goes back. A lost live one is not waited for.
 */
export async function promote(options: PromoteOptions): Promise<FlipOutcome> {
  const { log, projection } = options;
  const terms = termsOf(options);
  const { state } = await readControl(log, projection.name);
  const generation = options.generation ?? newestRebuilt(state)?.generation;
  if (generation === undefined) {
    const detail = `${projection.name} has no rebuilt generation beside the live one: rebuild first`;
    return refused('no-generation', detail);
  }
  const decide = (now: ProjectionState) => decidePromote(now, generation, terms);
  return flip(options, state, generation, decide, 'promoted');
}

/** Goes back to the generation that was live before, which the projector has kept up to date. */
export async function rollback(options: FlipOptions): Promise<FlipOutcome> {
  const { log, projection } = options;
  const terms = termsOf(options);
  const { state } = await readControl(log, projection.name);
  const decide = (now: ProjectionState) => decideRollback(now, terms);
  return flip(options, state, state.promotions.at(-2) ?? 0, decide, 'rolled-back');
}

function termsOf({ projection, despiteDifferences }: FlipOptions): FlipTerms {
  return { version: projection.version, despiteDifferences };
}

async function flip(
  options: FlipOptions,
  state: ProjectionState,
  generation: number,
  decide: (state: ProjectionState) => Decision,
  kind: 'promoted' | 'rolled-back',
): Promise<FlipOutcome> {
  const { projection, clock, waitMs = waitMsDefault } = options;
  const early = decide(state);
  if (early.kind === 'refused') return early;
  const target = state.generations.get(generation) as Generation;
  const previous = liveGeneration(state);
  const before = previous === undefined ? undefined : state.generations.get(previous);
  const change = async (isBeforeThere: boolean): Promise<FlipOutcome> => {
    const decided = await decideAndAppend(options, projection.name, decide);
    if (decided.kind === 'refused') return decided;
    await seenByDirectory(options, decided.state);
    const flipped = decided.state.generations.get(generation) as Generation;
    const back = decideRollback(decided.state, termsOf(options));
    const canGoBack = kind === 'promoted' && isBeforeThere && back.kind === 'events';
    return { kind, generation, previous, verdict: verdictOf(flipped), canGoBack };
  };
  const unsound = await withGeneration(options, target, (opened) => divergenceOf(options, opened));
  if (unsound !== undefined) {
    const why = unsound === 'lost' ? 'its store is lost' : unsound;
    return refused('lost', `${projection.name} g${generation}: ${why}: rebuild`);
  }
  const deadline = clock.now() + waitMs;
  const flipped =
    before === undefined
      ? 'lost'
      : await withGeneration(options, before, async (live) => {
          const at = await live.checkpoint();
          const brought = await bringTo(options, target, state, at, deadline);
          if (brought.kind !== 'there') return behind(generation, brought);
          const until = clock.now() + flipHoldMsMax;
          try {
            await live.hold(at, until);
            const held = await live.checkpoint();
            const last = await bringTo(options, target, state, held, until);
            return last.kind === 'there' ? await change(true) : behind(generation, last);
          } finally {
            await live.unhold();
          }
        });
  return flipped === 'lost' ? change(false) : flipped;
}

function behind(generation: number, brought: Brought): FlipOutcome {
  const detail =
    'detail' in brought
      ? `g${generation} is halted: ${brought.detail}`
      : `g${generation} did not come to where the live generation stands`;
  return { kind: 'behind', generation, detail };
}

export interface DropOptions extends Operation {
  readonly generation: number;
}

export type DropOutcome = { readonly kind: 'dropped'; readonly generation: number } | Refused;

/** Gives a generation up and removes all it holds. The live one is refused. Again: removes what is left. */
export async function drop(options: DropOptions): Promise<DropOutcome> {
  const { store, projection, generation } = options;
  const decided = await decideAndAppend(options, projection.name, (state) =>
    decideDrop(state, generation),
  );
  if (decided.kind === 'refused') return decided;
  await store.drop(generation);
  await seenByDirectory(options, decided.state);
  return { kind: 'dropped', generation };
}
