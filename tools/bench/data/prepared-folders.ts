import { sqliteEventLog } from '@annals/event-log-sqlite';
import { promote, rebuild } from '@annals/projection';
import { dataLayout, openEmbedded, projectionNamed, type Site } from '@annals/projector';
import { fillWithPayments } from './payment-feed.ts';
import { fillLog, ScoreFeed } from './score-feed.ts';
import { makeTemporaryFolder, removeTemporaryFolder } from './temporary-folder.ts';

export interface Board {
  readonly players: number;
  /** Scores, dealt evenly to the players. */
  readonly events: number;
}

/** Data folders that take a minute to make: each is made once in a run, when the first case needs it. */
export class PreparedFolders {
  readonly #tell: (line: string) => void;
  readonly #folders = new Map<string, Promise<string>>();
  readonly #made: string[] = [];

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  /** A data folder with a log and nothing else. */
  log(board: Board): Promise<string> {
    return this.#once(`log of ${said(board)}`, async (folder) => {
      const log = await sqliteEventLog({ folder: dataLayout(folder).log });
      try {
        await fillLog(log, new ScoreFeed(board), board.events);
      } finally {
        await log.close();
      }
    });
  }

  /** A data folder with a log and its leaderboard, rebuilt and live: generation 1. */
  service(board: Board): Promise<string> {
    return this.#once(`log and read model of ${said(board)}`, async (folder) => {
      const embedded = await openEmbedded({ dataFolder: folder });
      try {
        await fillLog(embedded.log, new ScoreFeed(board), board.events);
        await makeLive(embedded);
      } finally {
        await embedded.close();
      }
    });
  }

  /** A data folder with a log of that many payments, and nothing else that was derived from it. */
  payments(count: number): Promise<string> {
    return this.#once(`log of ${count.toLocaleString('en-US')} payments`, async (folder) => {
      const { log, cipher, close } = await openEmbedded({ dataFolder: folder });
      try {
        await fillWithPayments(log, cipher, count);
      } finally {
        await close();
      }
    });
  }

  async remove(): Promise<void> {
    for (const folder of this.#made) await removeTemporaryFolder(folder);
  }

  #once(what: string, make: (folder: string) => Promise<void>): Promise<string> {
    let made = this.#folders.get(what);
    if (!made) {
      made = this.#make(what, make);
      this.#folders.set(what, made);
    }
    return made;
  }

  async #make(what: string, make: (folder: string) => Promise<void>): Promise<string> {
    const folder = await makeTemporaryFolder();
    this.#made.push(folder);
    const started = performance.now();
    await make(folder);
    this.#tell(`made the ${what} in ${((performance.now() - started) / 1_000).toFixed(1)} s`);
    return folder;
  }
}

async function makeLive({ log, cipher, clock, storeFor }: Site): Promise<void> {
  const projection = projectionNamed('leaderboard');
  if (!projection) throw new Error('there is no projection named leaderboard');
  const store = storeFor(projection);
  const operation = { log, cipher, clock, projection, store, holder: `bench/${process.pid}` };
  const rebuilt = await rebuild(operation);
  if (rebuilt.kind !== 'rebuilt') throw new Error(`not rebuilt: ${JSON.stringify(rebuilt)}`);
  const promoted = await promote({ ...operation, generation: rebuilt.generation });
  if (promoted.kind !== 'promoted') throw new Error(`not promoted: ${JSON.stringify(promoted)}`);
}

function said({ players, events }: Board): string {
  return `${events.toLocaleString('en-US')} events of ${players.toLocaleString('en-US')} players`;
}
