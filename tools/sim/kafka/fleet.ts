import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { snapshotReplica } from '@annals/event-log-kafka';
import type { TopicRecord } from '@annals/event-log-kafka/engine';
import { openReplica } from '@annals/event-log-sqlite/replica';
import { InvariantError } from '../trace.ts';
import { type ProcessSettings, SimProcess } from './sim-process.ts';
import type { World } from './world.ts';

/** What a process finds in its folder as it starts. */
export type Beginning = 'kept' | 'empty' | 'snapshot';

/** A truncated topic stops whoever has read what it lost, by one of these. */
const truncationProblems: ReadonlySet<string> = new Set([
  'shorter-topic',
  'changed-record',
  'diverged',
]);

interface Place {
  process: SimProcess;
  /** Whether its process holds records that the topic has lost. */
  tainted: boolean;
  /** The records that it holds and the topic has lost, for each partition. */
  lost: Map<number, readonly TopicRecord[]>;
  /** Whether records were lost that it may have read and not told. */
  maybeTainted: boolean;
}

/** The processes, and what must become of each. */
export class Fleet {
  readonly #world: World;
  readonly #draft: () => Omit<ProcessSettings, 'name' | 'folder' | 'knowsSecond' | 'writtenFormat'>;
  readonly #places: Place[] = [];
  readonly #template: string;
  #started = 0;

  constructor(
    world: World,
    draft: () => Omit<ProcessSettings, 'name' | 'folder' | 'knowsSecond' | 'writtenFormat'>,
  ) {
    this.#world = world;
    this.#draft = draft;
    this.#template = join(world.folder, 'template');
    // Empty replicas are made once and copied: making one waits for the disk.
    for (let partition = 0; partition < world.topic.partitions; partition += 1) {
      openReplica(this.#template, partition).replica.close();
    }
  }

  get all(): readonly SimProcess[] {
    return this.#places.map(({ process }) => process);
  }

  /** Those that serve. */
  get open(): readonly SimProcess[] {
    return this.all.filter(({ log }) => log !== undefined);
  }

  add(program: Pick<ProcessSettings, 'knowsSecond' | 'writtenFormat'>): SimProcess {
    this.#started += 1;
    const name = `p${this.#started}`;
    const folder = join(this.#world.folder, name);
    cpSync(this.#template, folder, { recursive: true });
    const process = new SimProcess(this.#world, { ...this.#draft(), ...program, name, folder });
    this.#places.push({ process, tainted: false, lost: new Map(), maybeTainted: false });
    process.start();
    return process;
  }

  /** Kills a process, unless it is dead, and starts it anew. */
  async restart(
    old: SimProcess,
    beginning: Beginning,
    program: Pick<ProcessSettings, 'knowsSecond' | 'writtenFormat'> = old.settings,
  ): Promise<SimProcess> {
    const place = this.#placeOf(old);
    old.kill();
    await old.gone();
    const { folder } = old.settings;
    if (beginning === 'kept') takeDisk(place, place);
    else {
      rmSync(folder, { recursive: true, force: true });
      const source = this.#snapshotSource(beginning, place);
      if (source) {
        await snapshotReplica(source.process.settings.folder, folder);
        takeDisk(place, source);
      } else {
        cpSync(this.#template, folder, { recursive: true });
        Object.assign(place, { tainted: false, maybeTainted: false, lost: new Map() });
      }
    }
    const { knowsSecond, writtenFormat } = program;
    const settings = { ...old.settings, ...this.#draft(), knowsSecond, writtenFormat };
    const process = new SimProcess(this.#world, settings);
    process.mayHoldLost = place.tainted || place.maybeTainted;
    place.process = process;
    this.#world.trace.say(`${process.name} starts from ${beginning}, writes ${writtenFormat}`);
    process.start();
    return process;
  }

  /** Before the topic loses the records from `end` on. */
  losing(partition: number, end: number): void {
    for (const place of this.#places) {
      const { followed, isDead, stopped } = place.process;
      const { judged, committed } = followed;
      if (((isDead ? committed : judged).get(partition) ?? 0) > end) {
        place.tainted = true;
        const { topic } = this.#world;
        const gone = topic.fetch(partition, end, topic.end(partition) - end);
        const before = place.lost.get(partition);
        if (!before || (before[0]?.offset ?? 0) > end) place.lost.set(partition, gone);
      }
      // Also one that is dead: what it committed as it died it has told nobody.
      if (!stopped) place.maybeTainted = true;
      place.process.mayHoldLost = place.tainted || place.maybeTainted;
    }
  }

  isTainted(process: SimProcess): boolean {
    const place = this.#placeOf(process);
    return place.tainted || (place.maybeTainted && truncationProblems.has(process.stopProblem));
  }

  /**
   * Whether it serves, and what it has read stands in the topic no more: late copies may have brought it back. Of a
   * topic that ends right where its last record was it can only hear with the next one.
   */
  servesWhatIsLost(process: SimProcess): boolean {
    const { tainted, lost } = this.#placeOf(process);
    if (!tainted || !process.log) return false;
    const { topic } = this.#world;
    return [...lost].some(([partition, [first]]) => {
      if (process.followed.judged.get(partition) === topic.end(partition) + 1) return false;
      const [now] = first ? topic.fetch(partition, first.offset, 1) : [];
      return !now?.value || !first?.value || !now.value.equals(first.value);
    });
  }

  /**
   * Whether it can never be started again: somebody who had read what was lost has written since, and whoever
   * compares with that record differs.
   */
  isBeyondRepair(process: SimProcess): boolean {
    const lost = this.#world.topic.elections > 0;
    return lost && process.stopProblem === 'diverged' && !this.#placeOf(process).tainted;
  }

  /** No process stops but for a reason, and then it says the right one. Throws InvariantError. */
  checkStops(): void {
    for (const { process, tainted, maybeTainted } of this.#places) {
      const problem = process.stopProblem;
      // A start that finds its disk full has failed; whoever started it tries again.
      if (problem === 'none' || problem === 'disk-full') continue;
      if ((tainted || maybeTainted) && truncationProblems.has(problem)) continue;
      if (this.isBeyondRepair(process)) continue;
      if (problem === 'newer-record' && !process.settings.knowsSecond) continue;
      const why = process.stopped?.message;
      throw new InvariantError('follows', `${process.name} has stopped (${problem}): ${why}`);
    }
  }

  /** At one offset of one partition all have the same hash of verdicts. Throws InvariantError. */
  checkHashes(hashes: Map<string, string>): void {
    for (const process of this.open) {
      if (process.mayHoldLost) continue;
      for (const { partition, offset, verdictHash } of process.log?.status() ?? []) {
        const place = `${this.#world.topic.elections} ${partition} ${offset}`;
        const known = hashes.get(place);
        hashes.set(place, known ?? verdictHash);
        if (known === undefined || known === verdictHash) continue;
        const detail = `at offset ${offset} of partition ${partition} ${process.name} has ${verdictHash}, not ${known}`;
        throw new InvariantError('verdicts', detail);
      }
    }
  }

  #snapshotSource(beginning: Beginning, except: Place): Place | undefined {
    if (beginning !== 'snapshot') return undefined;
    const open = this.#places.filter((place) => place !== except && place.process.log);
    return open.length === 0 ? undefined : this.#world.random.pick(open);
  }

  #placeOf(process: SimProcess): Place {
    const place = this.#places.find((one) => one.process === process);
    if (!place) throw new RangeError(`${process.name} is not in the fleet`);
    return place;
  }
}

/** What a new process in `place` finds of the replica of `source`: what that has committed. */
function takeDisk(place: Place, { process, lost, tainted, maybeTainted }: Place): void {
  const { committed } = process.followed;
  const kept = [...lost].filter(
    ([partition, [first]]) => first && (committed.get(partition) ?? 0) > first.offset,
  );
  place.lost = new Map(kept);
  place.maybeTainted = maybeTainted || tainted;
  place.tainted = kept.length > 0;
}
