import type { Filter, PassOver, StoredEvent } from './port.ts';
import { categoryOf } from './stream-name.ts';

/** Whether `filter` lets `event` through. A list that is absent lets all through, an empty one none. */
export function matches(
  filter: Filter,
  event: Pick<StoredEvent, 'stream' | 'type' | 'partition'>,
): boolean {
  return (
    (filter.categories?.includes(categoryOf(event.stream)) ?? true) &&
    (filter.types?.includes(event.type) ?? true) &&
    (filter.partitions?.includes(event.partition) ?? true)
  );
}

/** Whether an event is one of those that a subscriber wants passed over. */
export function isPassedOver(
  passOver: PassOver | undefined,
  { type, schemaVersion }: Pick<StoredEvent, 'type' | 'schemaVersion'>,
): boolean {
  return passOver !== undefined && schemaVersion <= (passOver[type] ?? 0);
}
