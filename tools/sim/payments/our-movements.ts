import { memoryEventLog } from '@annals/event-log';
import { paymentsEvents, type RecordedPaymentsEvent } from '@annals/payments';
import { bankBook, clearingMovements, type Movement } from '@annals/payments/reconciliation';
import { InvariantError } from '../trace.ts';
import type { Provider } from './provider.ts';
import { openCipher, type World } from './world.ts';

const streamEventsMax = 1_000;

/** Our entries, by the provider that knows what they are about. */
export async function movementsByProvider(
  world: World,
  providers: readonly Provider[],
): Promise<ReadonlyMap<string, readonly Movement[]>> {
  const { storage, witness, clock } = world;
  const log = memoryEventLog({ storage, clock });
  const cipher = openCipher(world);
  const byProvider = new Map<string, Movement[]>();
  for (const stream of new Set(witness.facts.map((fact) => fact.stream))) {
    if (!/^(?:checkout|seller)-/.test(stream)) continue;
    const { events } = await log.readStream(stream, { limit: streamEventsMax });
    const decoded = await paymentsEvents.decode(events, cipher);
    for (const movement of clearingMovements(decoded as RecordedPaymentsEvent[])) {
      // What the bank should show of a payout has no line at a provider.
      if (movement.book === bankBook) continue;
      const owner = providers.find((provider) => provider.knows(movement.key));
      if (owner?.name !== movement.book)
        throw new InvariantError('reconciled', `nobody knows ${movement.key}`);
      byProvider.set(owner.name, [...(byProvider.get(owner.name) ?? []), movement]);
    }
  }
  return byProvider;
}
