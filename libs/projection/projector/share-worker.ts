import { deadLetterTable } from '../dead-letters.ts';
import { Fold } from '../fold.ts';
import { openGeneration } from '../generations/make-generation.ts';
import { type Acquired, type GenerationStore, type Lease, StoreLostError } from '../store.ts';
import { divergence } from './log-tail.ts';
import type { SessionEnd } from './session-course.ts';
import { isDue, type ShareMemory } from './share-memory.ts';
import { ShareSession } from './share-session.ts';
import { initialStatus, messageOf, type ShareStatus } from './share-status.ts';
import { projectorLimits, type ShareEnd, type ShareWork } from './share-work.ts';

/** One worker on its share of one generation: session after session, until it is stopped or done. */
export class ShareWorker {
  readonly #work: ShareWork;
  readonly #memory: ShareMemory;
  #status: ShareStatus;
  #backoffMs: number = projectorLimits.backoffMsMin;

  constructor(work: ShareWork) {
    this.#work = work;
    this.#memory = {
      fold: new Fold({ projection: work.projection, tables: [deadLetterTable] }),
      ceiling: undefined,
      halted: new Map(),
      retried: new Map(),
    };
    this.#status = initialStatus(work.projection.name, work.generation, work.worker);
  }

  get status(): ShareStatus {
    return this.#status;
  }

  /** Never rejects for what the store or the log do: that is tried again, or ends a build. */
  async run(): Promise<ShareEnd> {
    for (;;) {
      const end = await this.#session();
      const next = await this.#after(end);
      if (!next) continue;
      const state = next.kind === 'diverged' ? 'halted' : next.kind;
      this.#report({
        state: state === 'halted' || state === 'lost' ? state : 'stopped',
        leased: false,
      });
      return next;
    }
  }

  /** What to do after a session: undefined to begin another one. */
  async #after(end: SessionEnd): Promise<ShareEnd | undefined> {
    const { clock, signal, mode } = this.#work;
    if (signal.aborted) return { kind: 'stopped', checkpoint: this.#status.checkpoint };
    if (end.kind === 'stopped' || end.kind === 'finished') return end;
    if (end.kind === 'again') {
      await this.#pause(end.error);
      return undefined;
    }
    if (mode === 'build') return end;
    if (end.kind === 'diverged') {
      this.#report({ state: 'halted', detail: end.detail, caughtUp: false });
      await clock.sleep(projectorLimits.tickMs, signal);
      return undefined;
    }
    if (end.kind === 'halted') {
      const { halt } = end;
      this.#memory.halted.set(halt.event.partition, { halt, since: clock.now() });
      this.#report({ state: 'halted', detail: halt.detail, caughtUp: false }, halt);
      return undefined;
    }
    const detail =
      end.kind === 'lost'
        ? `${end.detail}: run annals rebuild ${this.#work.projection.name}`
        : `${end.holder} works on it`;
    const state = end.kind === 'lost' ? 'lost' : 'waiting';
    this.#report({ state, detail, leased: false, caughtUp: false });
    await clock.sleep(projectorLimits.tickMs, signal);
    return undefined;
  }

  async #pause(error: unknown): Promise<void> {
    const { clock, signal } = this.#work;
    if (error === undefined) {
      this.#backoffMs = projectorLimits.backoffMsMin;
      await clock.sleep(projectorLimits.heldPollMs, signal);
      return;
    }
    const detail = messageOf(error);
    this.#report({ state: 'failing', detail, leased: false, caughtUp: false }, error);
    await clock.sleep(this.#backoffMs, signal);
    this.#backoffMs = Math.min(this.#backoffMs * 2, projectorLimits.backoffMsMax);
  }

  /** Opens the store, takes the lease, works, and lets go of both. */
  async #session(): Promise<SessionEnd> {
    let store: GenerationStore | undefined;
    let lease: Lease | undefined;
    try {
      this.#forgetHaltsThatAreDue();
      const { projection, log } = this.#work;
      // Whoever cannot read the log leaves the lease to those who can, and says so rather than who has it.
      await log.head();
      const found = await openGeneration(this.#work.store, projection.name, this.#work);
      if (found.kind === 'lost') return found;
      store = found.opened;
      const misfit = this.#misfit(store);
      if (misfit) return { kind: 'lost', detail: misfit };
      lease = await this.#acquire(store);
      if (lease.kind === 'busy') return lease;
      const diverged = await this.#divergence(lease);
      if (diverged) return diverged;
      return await this.#workUnder(store, lease);
    } catch (error) {
      if (error instanceof StoreLostError) return { kind: 'lost', detail: error.message };
      return { kind: 'again', error };
    } finally {
      await this.#letGo(store, lease);
    }
  }

  get #name(): string {
    return `${this.#work.projection.name} g${this.#work.generation}`;
  }

  #forgetHaltsThatAreDue(): void {
    const now = this.#work.clock.now();
    for (const [partition, halted] of this.#memory.halted) {
      if (isDue(halted, now)) this.#memory.halted.delete(partition);
    }
  }

  /** A store under our generation's name that is not our generation. */
  #misfit({ spec }: GenerationStore): string | undefined {
    const { projection, workers } = this.#work;
    if (spec.projection === projection.name && spec.version === projection.version) {
      if (spec.workers === workers) return undefined;
      return `the store of ${this.#name} is split in ${spec.workers} shares, not in ${workers}`;
    }
    return `the store of ${this.#name} holds ${spec.projection} version ${spec.version}`;
  }

  /** A rebuild waits once for a lease to run out: its holder may have been killed. */
  async #acquire(store: GenerationStore): Promise<Lease> {
    const { clock, worker, holder, waitsForLease, signal } = this.#work;
    const { leaseTtlMs, tickMs } = projectorLimits;
    const acquire = () => store.acquire(worker, holder, clock.now(), leaseTtlMs);
    let lease = await acquire();
    if (!waitsForLease) return lease;
    let waitMs = leaseTtlMs + tickMs;
    while (lease.kind === 'busy' && waitMs > 0 && !signal.aborted) {
      this.#report({ state: 'waiting', detail: `${lease.holder} works on it` });
      await clock.sleep(tickMs, signal);
      waitMs -= tickMs;
      const next = await acquire();
      // Renewed: its holder is alive.
      if (next.kind === 'busy' && next.until > lease.until) return next;
      lease = next;
    }
    return lease;
  }

  /** Rows that the log does not bear out must not be built on: positions are only good in their own log. */
  async #divergence(lease: Acquired): Promise<SessionEnd | undefined> {
    const { log, projection } = this.#work;
    const reason = await divergence(log, projection.categories, lease);
    if (reason === undefined) return undefined;
    const detail =
      `${this.#name}: ${reason}. Was the log restored from an older backup? ` +
      `Run annals rebuild ${projection.name}`;
    return { kind: 'diverged', detail };
  }

  async #workUnder(store: GenerationStore, lease: Acquired): Promise<SessionEnd> {
    const halted = this.#memory.halted.values().next().value;
    const state = halted ? 'halted' : 'catching-up';
    const { checkpoint } = lease;
    this.#report({ state, detail: halted?.halt.detail, leased: true, checkpoint, caughtUp: false });
    const session = new ShareSession(this.#work, this.#memory, store, lease, (change, error) => {
      this.#report(change, error);
    });
    return session.run();
  }

  async #letGo(store: GenerationStore | undefined, lease: Lease | undefined): Promise<void> {
    try {
      if (lease?.kind === 'acquired') await store?.release(this.#work.worker, lease.epoch);
      await store?.close();
    } catch {
      // A store that is gone has no lease to give up; any other lease runs out by itself.
    }
  }

  #report(change: Partial<ShareStatus>, error?: unknown): void {
    const before = this.#status;
    const committed = change.lastBatchEvents;
    this.#status = {
      ...before,
      ...change,
      ...(committed === undefined
        ? {}
        : { events: before.events + committed, batches: before.batches + 1 }),
      ...(error === undefined ? {} : { errors: before.errors + 1 }),
    };
    const { observe } = this.#work;
    if (!observe) return;
    const status = this.#status;
    if (error !== undefined) observe({ kind: 'trouble', status, error });
    if (committed !== undefined) observe({ kind: 'committed', status });
    if (status.state !== before.state || status.detail !== before.detail) {
      observe({ kind: 'state', status });
    }
  }
}
