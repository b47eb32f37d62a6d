import type { EventStream, StreamEvent } from '@annals/http';
import type { Read } from '@annals/leaderboard';
import { VirtualClock } from '@annals/projection/testing';
import { describe, expect, it } from 'vitest';
import { LiveBoards, type LiveQuery, liveLimits } from './live.ts';

type Top = Extract<Awaited<ReturnType<Service['top']>>, { kind: 'answer' }>;
type Service = ConstructorParameters<typeof LiveBoards>[0]['service'];

const start = Date.UTC(2026, 10, 30, 23, 59, 0);
const asOf = (position: number) => `0:${String(position).padStart(16, '0')}`;

/** A service that answers what it is told, and counts how often it is asked. */
class ToldService {
  score = 1;
  position = 1;
  state: 'answer' | 'stale' | 'lost' | 'broken' = 'answer';
  readonly asked = { top: 0, standing: 0 };
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  #row() {
    return { userId: 'ann', name: null, picture: null, rank: 1, score: this.score };
  }

  #read<T>(period: string | undefined, rest: T): Read<T> {
    if (this.state === 'broken') throw new Error('the disk is gone');
    if (this.state === 'lost') return { kind: 'lost' };
    return {
      kind: 'answer',
      board: 'default',
      period: period ?? new Date(this.#clock.now()).toISOString().slice(0, 7),
      closed: false,
      asOf: asOf(this.position),
      ...(this.state === 'stale' ? { stale: true } : {}),
      ...rest,
    };
  }

  top: Service['top'] = async ({ period }) => {
    this.asked.top += 1;
    return this.#read<Omit<Top, 'kind' | 'board' | 'period' | 'closed' | 'asOf'>>(period, {
      rows: [this.#row()],
      players: 1,
    });
  };

  standing: Service['standing'] = async ({ period }) => {
    this.asked.standing += 1;
    const row = { ...this.#row(), percentile: 0, matches: 1 };
    return this.#read(period, { row, above: [], below: [], players: 1 });
  };
}

function stream(): EventStream & { readonly sent: StreamEvent[] } {
  const stop = new AbortController();
  const ended = Promise.withResolvers<'closed'>();
  const sent: StreamEvent[] = [];
  return {
    sent,
    signal: stop.signal,
    ended: ended.promise,
    send: (event) => {
      sent.push(event);
      return 'queued';
    },
    close: () => {
      stop.abort();
      ended.resolve('closed');
    },
  };
}

function open() {
  const clock = new VirtualClock(start);
  const service = new ToldService(clock);
  const listeners = new Set<() => void>();
  const troubles: unknown[] = [];
  const live = new LiveBoards({
    service,
    clock,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onTrouble: (error) => troubles.push(error),
    head: async () => ({ 0: String(5).padStart(16, '0') }),
  });
  /** Lets time pass, and all that follows from it happen. */
  const pass = async (ms: number) => {
    await clock.advance(ms);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  const round = () => pass(liveLimits.intervalMs);
  const change = () => {
    for (const listener of listeners) listener();
  };
  return { service, clock, live, pass, round, change, listeners, troubles };
}

const query: LiveQuery = {
  board: 'default',
  period: undefined,
  ties: 'standard',
  top: 10,
  userId: undefined,
};
const periods = (watcher: { readonly sent: StreamEvent[] }) =>
  watcher.sent.map(({ data }) => JSON.parse(data).period);
const boards = (watcher: { readonly sent: StreamEvent[] }) =>
  watcher.sent.map(({ data }) => JSON.parse(data).data?.[0].score);

describe('live boards', () => {
  it('resume with an id that the log reaches, and with no other', async () => {
    const { live } = open();
    for (const id of [`${asOf(1)}/2026-11`, `${asOf(5)}/2026-11`]) {
      expect(await live.resumable(id)).toBe(id);
    }
    for (const id of [`${asOf(6)}/2026-11`, `1:${'0'.repeat(16)}/2026-11`, 'made up', undefined]) {
      expect(await live.resumable(id)).toBeUndefined();
    }
    await live.close();
  });

  it('read a top once for all who watch it, and each player on its own', async () => {
    const { service, live, round, change } = open();
    const first = await live.read(query);
    const watchers = Array.from({ length: 100 }, () => stream());
    for (const [at, watcher] of watchers.entries()) {
      live.watch({ ...query, userId: at < 10 ? `p${at}` : undefined }, watcher, first);
    }
    await round();
    service.asked.top = 0;
    service.asked.standing = 0;
    service.score = 2;
    change();
    await round();
    expect(service.asked).toEqual({ top: 1, standing: 10 });
    expect(watchers.every((watcher) => boards(watcher).at(-1) === 2)).toBe(true);
    await live.close();
  });

  it('tell each change once, and nothing while nothing changes', async () => {
    const { service, live, round, change } = open();
    const watcher = stream();
    live.watch(query, watcher, await live.read(query));
    for (let times = 0; times < 5; times += 1) {
      service.position += 1;
      change();
      await round();
    }
    expect(boards(watcher)).toEqual([1]);
    service.score = 7;
    service.asked.top = 0;
    change();
    change();
    await round();
    await round();
    expect(service.asked.top).toBe(1);
    expect(boards(watcher)).toEqual([1, 7]);
    expect(watcher.sent.at(-1)).toMatchObject({ event: 'board', id: `${asOf(6)}/2026-11` });
    await live.close();
  });

  it.each([undefined, 'ann'])(
    'say while they are of the read model before the one that is lost (player: %s)',
    async (userId) => {
      const { service, live, round, change } = open();
      const watcher = stream();
      live.watch({ ...query, userId }, watcher, await live.read({ ...query, userId }));
      for (const state of ['stale', 'stale', 'answer'] as const) {
        service.state = state;
        change();
        await round();
      }
      const told = watcher.sent.map(({ data }) => JSON.parse(data).stale);
      expect(told).toEqual([undefined, true, undefined]);
      await live.close();
    },
  );

  it('show nothing older than a client saw, until this process has come as far', async () => {
    const { service, live, round, change } = open();
    const watcher = stream();
    service.position = 4;
    live.watch(query, watcher, await live.read(query), `${asOf(9)}/2026-11`);
    await round();
    expect(watcher.sent).toEqual([]);
    service.position = 9;
    change();
    await round();
    expect(boards(watcher)).toEqual([1]);
    await live.close();
  });

  it('say nothing to a client that comes again and has seen this very state', async () => {
    const { service, live, round, change } = open();
    const watcher = stream();
    live.watch(query, watcher, await live.read(query), `${asOf(1)}/2026-11`);
    await round();
    expect(watcher.sent).toEqual([]);
    service.score = 3;
    service.position = 2;
    change();
    await round();
    expect(boards(watcher)).toEqual([3]);
    await live.close();
  });

  it('take an id that is none of theirs for none', async () => {
    const { live } = open();
    const watcher = stream();
    live.watch(query, watcher, await live.read(query), 'from another server');
    expect(boards(watcher)).toEqual([1]);
    await live.close();
  });

  it('say once that the read model is lost, and go on when it is back', async () => {
    const { service, live, round, change } = open();
    const watcher = stream();
    live.watch(query, watcher, await live.read(query));
    service.state = 'lost';
    for (let times = 0; times < 3; times += 1) {
      change();
      await round();
    }
    service.state = 'answer';
    change();
    await round();
    const types = watcher.sent.map(({ event }) => event);
    expect(types).toEqual(['board', 'problem', 'board']);
    expect(watcher.sent[1]).not.toHaveProperty('id');
    await live.close();
  });

  it('turn to the next period when the current one ends, although nothing changed', async () => {
    const { live, pass } = open();
    const current = stream();
    const named = stream();
    live.watch(query, current, await live.read(query));
    const november = { ...query, period: '2026-11' };
    live.watch(november, named, await live.read(november));
    await pass(59_000);
    expect(periods(current)).toEqual(['2026-11']);
    await pass(1_000 + liveLimits.intervalMs);
    expect(periods(current)).toEqual(['2026-11', '2026-12']);
    // Who resumes with the id from before the turn is shown the new period, too.
    const resumed = stream();
    live.watch(query, resumed, await live.read(query), current.sent[0]?.id);
    expect(periods(resumed)).toEqual(['2026-12']);
    expect(periods(named)).toEqual(['2026-11']);
    await live.close();
  });

  it('turn as well when the clock of the machine is set forward', async () => {
    const { clock, live, pass } = open();
    const watcher = stream();
    live.watch(query, watcher, await live.read(query));
    clock.jump(40 * 86_400_000);
    await pass(liveLimits.calendarMsMax + liveLimits.intervalMs);
    expect(periods(watcher)).toEqual(['2026-11', '2027-01']);
    await live.close();
  });

  it('read nothing at midnight when nobody watches', async () => {
    const { service, live, pass } = open();
    await pass(3 * 86_400_000);
    expect(service.asked.top).toBe(0);
    await live.close();
  });

  it('survive a read that fails', async () => {
    const { service, live, round, change, troubles } = open();
    const watcher = stream();
    live.watch(query, watcher, await live.read(query));
    service.state = 'broken';
    change();
    for (let time = 0; time < 3; time += 1) await round();
    const told = watcher.sent.filter(({ event }) => event === 'problem');
    expect(told.map(({ data }) => JSON.parse(data).code)).toEqual(['unavailable']);
    expect(troubles).toEqual([new Error('the disk is gone')]);
    // Nothing changes any more: the stream goes on all the same.
    service.state = 'answer';
    service.score = 4;
    await round();
    const shown = watcher.sent.filter(({ event }) => event === 'board');
    expect(boards({ sent: shown })).toEqual([1, 4]);
    await live.close();
  });

  it('forget a client that went, and read nothing when nobody watches', async () => {
    const { service, live, round, change } = open();
    const watcher = stream();
    live.watch(query, watcher, await live.read(query));
    await round();
    watcher.close();
    service.asked.top = 0;
    service.score = 2;
    change();
    await round();
    expect(service.asked.top).toBe(0);
    expect(boards(watcher)).toEqual([1]);
    await live.close();
  });

  it('listen no more once they are closed', async () => {
    const { service, live, round, change, listeners } = open();
    const watcher = stream();
    live.watch(query, watcher, await live.read(query));
    await live.close();
    expect(listeners.size).toBe(0);
    service.score = 2;
    change();
    await round();
    expect(boards(watcher)).toEqual([1]);
  });
});
