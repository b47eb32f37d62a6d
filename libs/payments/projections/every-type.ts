import type { Handler } from '@annals/projection';
import { paymentsEvents, type RecordedOf, type RecordedPaymentsEvent } from '../events.ts';

type Name = RecordedPaymentsEvent['type'];

export type PaymentsHandler = Handler<RecordedPaymentsEvent> | 'ignored';

/** Handlers of a projection that says by one rule what it does with every event of the payments streams. */
export function forEveryType(handlerOf: (name: Name) => PaymentsHandler): {
  readonly [Type in Name]: PaymentsHandler;
} {
  const names = paymentsEvents.names as readonly Name[];
  const handlers = Object.fromEntries(names.map((name) => [name, handlerOf(name)]));
  return handlers as { readonly [Type in Name]: PaymentsHandler };
}

export type DataOf<Type extends Name> = RecordedOf<Type>['data'];
