import { isFollowed, type ProjectionState } from './state.ts';

/** Why nothing can be read of projections of which none is lost, for operators: the first generation is made by itself, and a filled one is not made live by itself. */
export function waitingText(states: readonly ProjectionState[]): string {
  const filled = states
    .filter(({ promotions }) => promotions.length === 0)
    .flatMap(({ projection, generations }) => {
      const last = [...generations.values()].findLast(isFollowed);
      return last ? [{ projection, generation: last.generation }] : [];
    });
  if (filled.length === 0) return 'filled for the first time';
  const generations = filled.map(({ projection, generation }) => `g${generation} of ${projection}`);
  const commands = filled.map(({ projection }) => `npx annals promote ${projection}`);
  return `filled and not live (${generations.join(', ')}): ${commands.join(' && ')}`;
}
