import { leaderboardProjection } from '@annals/leaderboard';
import {
  drop,
  type GenerationStore,
  type ProjectionStore,
  promote,
  rebuild,
  rollback,
  verify,
} from '@annals/projection';
import { openLog } from '../weather.ts';
import { openKeys, openStore, type Process, type World } from './world.ts';

export type OperatorCommand = 'rebuild' | 'verify' | 'promote' | 'rollback' | 'drop';

const workersMax = 3;
const generationsTried = 4;
/** How long a command waits for generations to come together; each is one virtual second or more. */
const waitMs = 5_000;
/** The most a call of an operator's store takes: long enough for the world to change, and for a kill. */
const callMsMax = 300;

interface UnderWay extends Process {
  readonly command: OperatorCommand;
}

/**
 * Operators who run `annals` beside the traffic. Each command is a process of its own, which can be
 * killed between any two of its steps and leaves what it has done until then.
 */
export class Operators {
  readonly #world: World;
  readonly #underWay = new Set<UnderWay>();
  #started = 0;
  /** What a command reported that must never happen, in words. */
  readonly alarms: string[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  get busy(): boolean {
    return this.#underWay.size > 0;
  }

  /** Starts a command, without waiting for its end. */
  start(command: OperatorCommand): void {
    const { clock, random, trace } = this.#world;
    this.#started += 1;
    const name = `operator-${this.#started}`;
    const log = openLog(this.#world);
    const store = openStore(this.#world);
    const { cipher } = openKeys(this.#world);
    const stop = new AbortController();
    const { signal } = stop;
    const unhurried = slowStore(this.#world, store);
    const operation = {
      log,
      store: unhurried,
      projection: leaderboardProjection,
      cipher,
      clock,
      signal,
    };
    const process: UnderWay = {
      command,
      name,
      kill: () => {
        log.crash();
        void store.close();
        stop.abort();
        this.#underWay.delete(process);
      },
    };
    this.#underWay.add(process);
    const workers = random.int(1, workersMax);
    const generation = random.int(1, generationsTried);
    const commands = {
      rebuild: () => rebuild({ ...operation, holder: name, workers }),
      verify: () => verify({ ...operation, holder: name, holdMs: waitMs }),
      promote: () => promote({ ...operation, holder: name, waitMs }),
      rollback: () => rollback({ ...operation, holder: name, waitMs }),
      drop: () => drop({ ...operation, holder: name, generation }),
    };
    commands[command]()
      .then((outcome) => {
        const { kind } = outcome;
        const detail = 'detail' in outcome ? `: ${outcome.detail}` : '';
        trace.say(`${name} ${command} ${kind}${detail}`);
        // A difference, or an event that cannot be applied, would be the program's own fault here.
        if (kind === 'different' || kind === 'halted') {
          this.alarms.push(`${name} ${command}: ${JSON.stringify(outcome)}`);
        }
      })
      .catch((error: unknown) => trace.say(`${name} ${command} broke: ${String(error)}`))
      .finally(() => this.#underWay.delete(process));
  }

  /** Kills one of those at work; false when nobody is. */
  killOne(): boolean {
    if (!this.busy) return false;
    const process = this.#world.random.pick([...this.#underWay]);
    this.#world.trace.say(`kill ${process.name} at ${process.command}`);
    process.kill();
    return true;
  }

  end(): void {
    for (const process of [...this.#underWay]) process.kill();
  }
}

/** A store that is far away: every call takes some virtual time before it does anything. */
function slowStore(world: World, store: ProjectionStore): ProjectionStore {
  const late = <T>(call: () => Promise<T>) => lateCall(world, call);
  return {
    create: (spec) => late(() => store.create(spec)),
    open: async (generation) => {
      const opened = await late(() => store.open(generation));
      return opened === 'lost' ? opened : slowGeneration(world, opened);
    },
    drop: (generation) => late(() => store.drop(generation)),
    close: () => store.close(),
  };
}

function slowGeneration(world: World, opened: GenerationStore): GenerationStore {
  const late = <T>(call: () => Promise<T>) => lateCall(world, call);
  return {
    spec: opened.spec,
    acquire: (...args) => late(() => opened.acquire(...args)),
    release: (...args) => late(() => opened.release(...args)),
    load: (keys) => late(() => opened.load(keys)),
    commit: (batch) => late(() => opened.commit(batch)),
    finishBuilding: () => late(async () => opened.finishBuilding?.()),
    checkpoint: () => late(() => opened.checkpoint()),
    shares: () => late(() => opened.shares()),
    hold: (...args) => late(() => opened.hold(...args)),
    unhold: () => late(() => opened.unhold()),
    snapshot: () => late(() => opened.snapshot()),
    present: () => late(() => opened.present()),
    close: () => opened.close(),
  };
}

async function lateCall<T>({ clock, random }: World, call: () => Promise<T>): Promise<T> {
  await clock.sleep(random.int(0, callMsMax));
  return call();
}
