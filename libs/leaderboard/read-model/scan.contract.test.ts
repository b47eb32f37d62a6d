import { systemClock } from '@annals/core';
import { MemoryProjectionDatabase, memoryProjectionStore } from '@annals/projection';
import { describeLeaderboardReadModel } from '../contract/index.ts';
import { scanReadModel } from './scan.ts';

describeLeaderboardReadModel('The scan of a snapshot', {
  site: async () => {
    const database = new MemoryProjectionDatabase();
    const store = memoryProjectionStore({ clock: systemClock, database });
    return {
      store: async () => store,
      readModel: async () => scanReadModel(() => store.open(1), systemClock),
      lose: async () => database.lose(1),
      dispose: async () => undefined,
    };
  },
});
