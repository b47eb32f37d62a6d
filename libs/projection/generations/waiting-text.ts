import { isFollowed, type ProjectionState } from './state.ts';

/**
 * Why nothing can be read of projections of which none is lost, for operators. The first generation is filled and made live by
 * the projector; where somebody else made one, he has to say that it is live.
 */
export function waitingText(states: readonly ProjectionState[]): string {
  const reasons = states.flatMap((state) => waitingOf(state) ?? []);
  return reasons.length === 0 ? 'filled for the first time' : `not live: ${reasons.join('; ')}`;
}

/** Undefined where the projector sees to it. */
function waitingOf({ projection, generations, promotions }: ProjectionState): string | undefined {
  if (promotions.length > 0 || generations.size === 0) return undefined;
  const kept = [...generations.values()].filter(({ dropped }) => !dropped);
  const filled = kept.findLast(isFollowed);
  if (filled) {
    const name = `g${filled.generation}`;
    return `${name} of ${projection} is filled: npx annals promote ${projection} --generation ${name}`;
  }
  const last = kept.at(-1);
  if (!last) return `all generations of ${projection} were dropped: start the projector again`;
  return `g${last.generation} of ${projection} is not whole: npx annals status, npx annals rebuild ${projection}`;
}
