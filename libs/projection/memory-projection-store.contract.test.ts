import { describeProjectionStore } from './contract/index.ts';
import { MemoryProjectionDatabase, memoryProjectionStore } from './memory-projection-store.ts';

describeProjectionStore('The in-memory twin', {
  site: async (clock) => {
    const database = new MemoryProjectionDatabase();
    return {
      open: async () => memoryProjectionStore({ clock, database }),
      countAbove: async (...query) => database.countAbove(...query),
      backup: async () => {
        const copy = database.backup();
        return async () => database.restore(copy);
      },
      lose: async (generation) => database.lose(generation),
      remains: async (generation) =>
        database.generations.filter((n) => n === generation).map((n) => `g${n}`),
      dispose: async () => undefined,
    };
  },
  without: { processes: 'the twin lives in the memory of one process' },
  propertyRuns: 200,
});
