import { leaderboardProjection } from '@annals/leaderboard';
import type { Projection } from '@annals/projection';

/** Every projection of the platform. One that is registered here is run, rebuilt, verified and tested. */
export const projections: readonly Projection[] = [leaderboardProjection];

export function projectionNamed(name: string): Projection | undefined {
  return projections.find((projection) => projection.name === name);
}
