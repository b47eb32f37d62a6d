import { describeEventLog } from './contract/index.ts';
import { memoryEventLog } from './memory-event-log.ts';
import { MemoryStorage } from './memory-storage.ts';

for (const partitions of [1, 5]) {
  describeEventLog(`The in-memory twin with ${partitions} partition(s)`, {
    site: async () => {
      const storage = new MemoryStorage({ partitions });
      return { open: async () => memoryEventLog({ storage }), dispose: async () => undefined };
    },
    without: { processes: 'the twin lives in the memory of one process' },
    propertyRuns: 300,
  });
}
