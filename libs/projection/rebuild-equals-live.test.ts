import { idFromKey } from '@annals/core';
import { describeRebuildEqualsLive } from './contract/rebuild-equals-live.ts';
import { noPersonalData } from './generations/events.ts';
import { gameEventTypes, gameProjection } from './testing/game.ts';
import type { SeededRandom } from './testing/seeded-random.ts';
import type { VirtualClock } from './testing/virtual-clock.ts';

/** Scores of a few players, each in a stream of their own, and now and then a stumble that is parked. */
async function gameHistory(random: SeededRandom, clock: VirtualClock) {
  const steps = [];
  for (let step = 0; step < 80; step += 1) {
    const player = `p${random.int(1, 6)}`;
    const id = idFromKey('history', String(step));
    const occurredAt = clock.now();
    const event = random.chance(96)
      ? { type: 'scored' as const, id, occurredAt, data: { player, points: random.int(1, 9) } }
      : { type: 'stumbled' as const, id, occurredAt, data: { player } };
    const encoded = await gameEventTypes.encode([event], noPersonalData);
    if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
    steps.push({ stream: `game-${player}`, events: encoded.events });
  }
  return { cipher: noPersonalData, steps };
}

describeRebuildEqualsLive(gameProjection(), gameHistory);
