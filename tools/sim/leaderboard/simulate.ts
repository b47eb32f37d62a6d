import { leaderboardProjection } from '@annals/leaderboard';
import {
  isFollowed,
  liveGeneration,
  memoryProjectionStore,
  openGeneration,
  type ProjectionState,
  rebuild,
} from '@annals/projection';
import { VirtualClock } from '@annals/projection/testing';
import { type Outcome, outcomeOf } from '../outcome.ts';
import { Random } from '../random.ts';
import { InvariantError, Trace } from '../trace.ts';
import { openLog } from '../weather.ts';
import { boards, Clients, drawPlayer, drawScore } from './clients.ts';
import {
  checkBoards,
  checkErased,
  checkTold,
  fingerprint,
  isCaughtUp,
  rowsOf,
  sameRows,
} from './invariants.ts';
import { type OperatorCommand, Operators } from './operators.ts';
import { Readers } from './readers.ts';
import { checkSeen } from './seen-boards.ts';
import {
  type ApiProcess,
  fair,
  makeWorld,
  openKeys,
  type ProjectorProcess,
  startApi,
  startProjector,
  type World,
} from './world.ts';

const traceLinesKept = 60;
const stepsMin = 30;
const stepsMax = 90;
/** After the last fault everything must come to rest within this much virtual time. */
const settleMsMax = 10 * 60_000;
const settleStepMs = 1_000;
/** A verification of two generations takes about so long. */
const failsWithinMs = 2_500;

/** Plays one seed: random commands and faults, then fair weather, then every promise is checked. */
export async function simulateLeaderboard(seed: number): Promise<Outcome> {
  const trace = new Trace(traceLinesKept);
  return outcomeOf(seed, trace, new Simulation(seed, trace));
}

class Simulation {
  readonly #world: World;
  readonly #random: Random;
  readonly #clients: Clients;
  readonly #operators: Operators;
  readonly #readers: Readers;
  #named = 0;
  #apis: ApiProcess[] = [];
  #projectors: ProjectorProcess[] = [];
  #started = 0;
  #backup: ReturnType<World['database']['backup']> | undefined;
  events = 0;

  constructor(seed: number, trace: Trace) {
    this.#random = new Random(seed);
    const clock = new VirtualClock(Date.UTC(2026, 10, 24, 12));
    this.#world = makeWorld(this.#random, clock, trace);
    this.#clients = new Clients(this.#world);
    this.#operators = new Operators(this.#world);
    this.#readers = new Readers(this.#world);
  }

  async run(): Promise<void> {
    const { trace } = this.#world;
    this.#startApi();
    this.#startApi();
    this.#startProjector();
    this.#startProjector();
    await this.#makeBoards();
    this.#world.weather = this.#drawWeather();
    const steps = this.#random.int(stepsMin, stepsMax);
    for (let step = 0; step < steps; step += 1) {
      const [name, act] = this.#drawStep();
      trace.say(`${step} ${name}`);
      await act();
      await this.#world.clock.advance(
        this.#random.weighted([
          [6, 0],
          [3, 20],
          [1, 1_500],
        ]),
      );
    }
    await this.#settle();
    await this.#check();
  }

  end(): void {
    for (const process of [...this.#apis, ...this.#projectors]) process.kill();
    this.#operators.end();
  }

  #drawWeather() {
    const some = (most: number) => (this.#random.chance(50) ? this.#random.int(0, most) : 0);
    return { append: some(25), read: some(5), store: some(15), deliver: some(15) };
  }

  #drawStep(): readonly [string, () => void | Promise<void>] {
    const { clock } = this.#world;
    return this.#random.weighted<readonly [string, () => void | Promise<void>]>([
      [40, ['score', () => this.#send()]],
      [8, ['batch', () => this.#sendBatch()]],
      [8, ['resend', () => this.#resend()]],
      [4, ['close', () => this.#close()]],
      [8, ['read', () => this.#read()]],
      [4, ['name', () => this.#name()]],
      [2, ['erase', () => this.#erase()]],
      [12, ['operate', () => this.#operate()]],
      [8, ['crash', () => this.#crash()]],
      [3, ['back up', () => this.#backUp()]],
      [3, ['go back', () => this.#goBack()]],
      [5, ['jump', () => clock.jump(this.#random.int(-3_600_000, 1_800_000))]],
      [3, ['day', () => clock.jump(this.#random.int(1, 30) * 3_600_000)]],
      [4, ['weather', () => this.#turnWeather()]],
    ]);
  }

  #turnWeather(): void {
    this.#world.weather = this.#drawWeather();
  }

  #send(): void {
    const input = drawScore(this.#random);
    const sent = this.#clients.sent.get(
      JSON.stringify([input.leaderboard, input.match_id, input.user_id]),
    );
    // Mostly the very same points again, sometimes others: those must be refused.
    const again = sent && this.#random.chance(80) ? sent : input;
    this.#clients.send(this.#random.pick(this.#apis), again);
  }

  #sendBatch(): void {
    const inputs = Array.from({ length: this.#random.int(2, 8) }, () => drawScore(this.#random));
    this.#clients.sendBatch(this.#random.pick(this.#apis), inputs);
  }

  #resend(): void {
    const waiting = [...this.#clients.pending.values()];
    const told = this.#clients.told.map(({ input }) => input);
    const from = waiting.length > 0 && this.#random.chance(60) ? waiting : told;
    if (from.length > 0) this.#clients.send(this.#random.pick(this.#apis), this.#random.pick(from));
  }

  #close(): void {
    const board = this.#random.pick(Object.keys(boards));
    const periods: { readonly [reset: string]: string } = {
      monthly: '2026-11',
      daily: '2026-11-24',
      never: 'all',
      weekly: '2026-W48',
    };
    const period = periods[boards[board]?.reset ?? ''] ?? 'all';
    this.#random
      .pick(this.#apis)
      .leaderboard.closePeriod(board, period)
      .then((closed) => this.#world.trace.say(`close ${board} ${period}: ${closed.kind}`))
      .catch((error: unknown) => this.#world.trace.say(`close broke: ${String(error)}`));
  }

  /** Mostly what was just written, by whichever process. */
  #read(): void {
    const told = this.#clients.told.at(-1);
    const own = told && this.#random.chance(70) ? told : undefined;
    const board = own?.input.leaderboard ?? this.#random.pick(Object.keys(boards));
    this.#readers.read(this.#random.pick(this.#apis), board, own?.result.position);
  }

  #name(): void {
    this.#named += 1;
    const player = drawPlayer(this.#random);
    this.#clients.name(this.#random.pick(this.#apis), player, this.#named);
  }

  #erase(): void {
    this.#clients.erase(this.#random.pick(this.#apis), drawPlayer(this.#random));
  }

  #operate(): void {
    const command = this.#random.weighted<OperatorCommand>([
      [4, 'rebuild'],
      [3, 'verify'],
      [5, 'promote'],
      [3, 'rollback'],
      [1, 'drop'],
    ]);
    this.#operators.start(command);
  }

  #crash(): void {
    if (this.#random.chance(40) && this.#operators.killOne()) return;
    if (this.#random.chance(50)) {
      const [api] = this.#apis.splice(this.#random.int(0, this.#apis.length - 1), 1);
      api?.kill();
      this.#startApi();
    } else {
      const at = this.#random.int(0, this.#projectors.length - 1);
      const [projector] = this.#projectors.splice(at, 1);
      projector?.kill();
      this.#startProjector();
    }
  }

  #backUp(): void {
    this.#backup = this.#world.database.backup();
  }

  /** The store fails over to a copy that has not seen the last batches. */
  #goBack(): void {
    if (!this.#backup) return;
    this.#world.wentBack += 1;
    this.#world.database.restore(this.#backup);
  }

  #startApi(): void {
    this.#started += 1;
    this.#apis.push(startApi(this.#world, `api-${this.#started}`));
  }

  #startProjector(): void {
    this.#started += 1;
    this.#projectors.push(startProjector(this.#world, `projector-${this.#started}`));
  }

  async #makeBoards(): Promise<void> {
    const [api] = this.#apis;
    for (const [id, settings] of Object.entries(boards)) {
      const made = await api?.leaderboard.putBoard(id, settings);
      if (made?.kind !== 'board') throw new InvariantError('boards', `${id} was not made`);
    }
    await this.#world.clock.advance(1_000);
  }

  /**
   * Fair weather: callers send again what they have no answer for, projectors catch up, and an operator
   * repairs a read model that went back to before it was made.
   */
  async #settle(): Promise<void> {
    const { clock } = this.#world;
    this.#world.weather = fair;
    // The last fault: an operator's machine fails in its work, and the clocks are set back to before that.
    this.#operators.start('verify');
    await clock.advance(this.#random.int(0, failsWithinMs));
    while (this.#operators.killOne());
    clock.jump(-this.#random.int(0, 3_600_000));
    for (let waited = 0; waited < settleMsMax; waited += settleStepMs) {
      for (const input of this.#clients.pending.values()) {
        if (this.#clients.underWay === 0) this.#clients.send(this.#random.pick(this.#apis), input);
      }
      await clock.advance(settleStepMs);
      if (this.#clients.pending.size > 0 || this.#clients.underWay > 0) continue;
      if (this.#operators.busy || (await this.#repairs())) continue;
      if (await this.#haveCaughtUp()) return;
    }
    throw new InvariantError('settles', 'it did not come to rest in fair weather');
  }

  /** What an operator does about a lost read model, one command at a time; whether there was something to do. */
  async #repairs(): Promise<boolean> {
    const state = this.#state();
    const live = state && liveGeneration(state);
    if (live === undefined) return false;
    const present = await this.#present();
    if (present.includes(live)) return false;
    const rebuilt = present.some((generation) => generation > live);
    this.#operators.start(rebuilt ? 'promote' : 'rebuild');
    return true;
  }

  #state(): ProjectionState | undefined {
    return this.#projectors[0]?.directory.state(leaderboardProjection.name);
  }

  #live(): number | undefined {
    const state = this.#state();
    return state && liveGeneration(state);
  }

  /** The generations that projectors follow and the store has. */
  async #present(): Promise<number[]> {
    const { clock, database } = this.#world;
    const store = memoryProjectionStore({ clock, database });
    const present: number[] = [];
    for (const generation of this.#state()?.generations.values() ?? []) {
      if (!isFollowed(generation)) continue;
      const found = await openGeneration(store, leaderboardProjection.name, generation);
      if (found.kind === 'open') present.push(generation.generation);
    }
    return present;
  }

  async #haveCaughtUp(): Promise<boolean> {
    const { clock, database } = this.#world;
    const store = memoryProjectionStore({ clock, database });
    const log = openLog(this.#world);
    for (const generation of await this.#present()) {
      if (!(await isCaughtUp(store, generation, log))) return false;
    }
    return this.#live() !== undefined;
  }

  async #check(): Promise<void> {
    const { clock, database, trace } = this.#world;
    const live = this.#live();
    if (live === undefined) throw new InvariantError('live', 'no generation is live');
    this.#checkAlarms();
    const naive = await checkTold(this.#world, this.#clients);
    await checkSeen(this.#world, this.#readers.seen);
    const store = memoryProjectionStore({ clock, database });
    const rows = await rowsOf(store, live);
    await checkBoards(naive, rows, clock.now());
    // Also those that are not live: a rollback must never show something old.
    for (const generation of await this.#present()) {
      const followed = await rowsOf(store, generation);
      sameRows('followed', rows, followed);
      checkErased(this.#clients, followed);
    }
    const log = openLog(this.#world);
    const rebuilt = await this.#rebuiltRows();
    sameRows('rebuilt', rows, rebuilt);
    checkErased(this.#clients, rebuilt);
    this.events = [...(await log.count()).values()].reduce((sum, count) => sum + count, 0);
    trace.say(`end ${await fingerprint(log, rows)}`);
  }

  #checkAlarms(): void {
    const [told] = this.#clients.alarms;
    if (told) throw new InvariantError('erased', told);
    const [read] = this.#readers.alarms;
    if (read) throw new InvariantError('read', read);
    const [operated] = this.#operators.alarms;
    if (operated) throw new InvariantError('operated', operated);
  }

  /** A rebuild by another process, with another number of workers, on the same disks. */
  async #rebuiltRows(): Promise<ReadonlyMap<string, readonly string[]>> {
    const { clock, database } = this.#world;
    const store = memoryProjectionStore({ clock, database });
    const directory = this.#projectors[0]?.directory;
    if (!directory) throw new InvariantError('live', 'no projector runs');
    const rebuilding = rebuild({
      log: openLog(this.#world),
      store,
      projection: leaderboardProjection,
      cipher: openKeys(this.#world).cipher,
      directory,
      workers: this.#random.int(1, 3),
      clock,
      holder: 'rebuild',
      signal: new AbortController().signal,
    });
    let result: Awaited<typeof rebuilding> | undefined;
    rebuilding.then((done) => {
      result = done;
    });
    for (let waited = 0; waited < settleMsMax && !result; waited += settleStepMs) {
      await clock.advance(settleStepMs);
    }
    if (result?.kind !== 'rebuilt') {
      throw new InvariantError('rebuilt', `the rebuild ended with ${JSON.stringify(result)}`);
    }
    return rowsOf(store, result.generation);
  }
}
