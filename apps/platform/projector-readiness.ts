import type { ReadinessCheck } from '@annals/http';
import { type GenerationStatus, mismatchText } from '@annals/projection';
import type { ProjectorThread } from '@annals/projector';

/** Of a process that keeps read models and serves no product. */
export function readinessOfProjector(projector: Pick<ProjectorThread, 'status'>): ReadinessCheck {
  return {
    name: 'projector',
    check: () => {
      const generations = projector.status();
      if (generations.length === 0) {
        return { kind: 'not-ready', detail: 'the projector has not started' };
      }
      const problem = generations.map(problemOf).find((one) => one !== undefined);
      return problem === undefined ? { kind: 'ready' } : { kind: 'degraded', detail: problem };
    },
  };
}

/** Why the live generation does not go on here. That another process works on it is none. */
function problemOf(one: GenerationStatus): string | undefined {
  if (!one.isLive) return undefined;
  if (one.kind === 'version-mismatch') return `${one.projection}: ${mismatchText(one)}`;
  if (one.kind !== 'followed') return undefined;
  const failing = one.shares.find(({ state }) => state === 'failing');
  return failing && `${one.projection}: ${failing.detail ?? 'it fails'}`;
}
