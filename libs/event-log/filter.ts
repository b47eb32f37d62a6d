import type { Filter, StoredEvent } from './port.ts';
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
