import type { EventStream, StreamEvent } from '@annals/http';
import type { Read } from '@annals/leaderboard';
import { describe, expect, it } from 'vitest';
import { LiveBoards, type LiveQuery, liveLimits } from './live.ts';

type Top = Extract<Awaited<ReturnType<Service['top']>>, { kind: 'answer' }>;
type Service = ConstructorParameters<typeof LiveBoards>[0]['service'];

const asOf = (position: number) => `0:${String(position).padStart(16, '0')}`;

/** A service that answers what it is told, and counts how often it is asked. */
class ToldService {
  score = 1;
  position = 1;
  state: 'answer' | 'lost' | 'broken' = 'answer';
  readonly asked = { top: 0, standing: 0 };

  #row() {
    return { userId: 'ann', name: null, picture: null, rank: 1, score: this.score };
  }

  #read<T>(rest: T): Read<T> {
    if (this.state === 'broken') throw new Error('the disk is gone');
    if (this.state === 'lost') return { kind: 'lost' };
    return {
      kind: 'answer',
      board: 'default',
      period: '2026-11',
      asOf: asOf(this.position),
      ...rest,
    };
  }

  top: Service['top'] = async () => {
    this.asked.top += 1;
    return this.#read<Omit<Top, 'kind' | 'board' | 'period' | 'asOf'>>({
      rows: [this.#row()],
      players: 1,
    });
  };

  standing: Service['standing'] = async () => {
    this.asked.standing += 1;
    const row = { ...this.#row(), percentile: 0, matches: 1 };
    return this.#read({ row, above: [], below: [], players: 1 });
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
  const service = new ToldService();
  const listeners = new Set<() => void>();
  const sleeps: (() => void)[] = [];
  const live = new LiveBoards({
    service,
    clock: {
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          // Boards are read once in an interval, however much changes in it.
          expect(ms).toBe(liveLimits.intervalMs);
          sleeps.push(resolve);
          signal?.addEventListener('abort', () => resolve());
        }),
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
  /** Lets the interval pass, and all that follows from it happen. */
  const round = async () => {
    for (const resolve of sleeps.splice(0)) resolve();
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  const change = () => {
    for (const listener of listeners) listener();
  };
  return { service, live, round, change, listeners };
}

const query: LiveQuery = {
  board: 'default',
  period: undefined,
  ties: 'standard',
  top: 10,
  userId: undefined,
};
const boards = (watcher: { readonly sent: StreamEvent[] }) =>
  watcher.sent.map(({ data }) => JSON.parse(data).data?.[0].score);

describe('live boards', () => {
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
    change();
    change();
    await round();
    await round();
    expect(boards(watcher)).toEqual([1, 7]);
    expect(watcher.sent.at(-1)).toMatchObject({ event: 'board', id: asOf(6) });
    await live.close();
  });

  it('show nothing older than a client saw, until this process has come as far', async () => {
    const { service, live, round, change } = open();
    const watcher = stream();
    service.position = 4;
    live.watch(query, watcher, await live.read(query), asOf(9));
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
    live.watch(query, watcher, await live.read(query), asOf(1));
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

  it('survive a read that fails', async () => {
    const { service, live, round, change } = open();
    const watcher = stream();
    live.watch(query, watcher, await live.read(query));
    service.state = 'broken';
    change();
    await round();
    service.state = 'answer';
    service.score = 4;
    change();
    await round();
    expect(boards(watcher)).toEqual([1, 4]);
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
