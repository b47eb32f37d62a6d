import {
  EventLogError,
  type MemoryLogFaults,
  MemoryStorage,
  memoryEventLog,
  type NewEvent,
} from '@annals/event-log';
import { afterEach, expect, test, vi } from 'vitest';
import { ApiKeysUnavailableError, apiKeyDirectory } from './directory.ts';
import { keyToken } from './key-text.ts';
import { limits } from './limits.ts';
import { scopeNames } from './scopes.ts';
import { issueKey, revokeKey } from './service.ts';

const adminKey = 'an-admin-key-of-configuration';
let stop = new AbortController();
afterEach(() => {
  stop.abort();
  stop = new AbortController();
});

/** A clock that stands still; whoever sleeps on it wakes when it is moved far enough. */
function stillClock() {
  const sleepers: { until: number; wake: () => void }[] = [];
  const clock = {
    time: 1_700_000_000_000,
    slept: [] as number[],
    now: () => clock.time,
    sleep: (ms: number, signal?: AbortSignal) => {
      clock.slept.push(ms);
      return new Promise<void>((resolve) => {
        signal?.addEventListener('abort', () => resolve());
        sleepers.push({ until: clock.time + ms, wake: resolve });
      });
    },
    move: (ms: number) => {
      clock.time += ms;
      for (const { until, wake } of sleepers) if (until <= clock.time) wake();
    },
  };
  return clock;
}

/** A directory in one process, and the service in another one on the same storage. */
function processes(faults: MemoryLogFaults = {}) {
  const storage = new MemoryStorage();
  const clock = stillClock();
  const other = { log: memoryEventLog({ storage, clock }), clock };
  const log = memoryEventLog({ storage, clock, faults });
  const start = (more: { adminKey?: string } = {}) =>
    apiKeyDirectory(log, { signal: stop.signal, clock, ...more });
  return { storage, clock, other, log, start };
}

type Other = ReturnType<typeof processes>['other'];

async function issue(other: Other, more: object = {}) {
  const request = { name: 'game server', scopes: ['scores:write'], issuedBy: 'cli', ...more };
  const issued = await issueKey(other, request);
  if (issued.kind !== 'issued') throw new Error(JSON.stringify(issued));
  return issued;
}

const until = (check: () => void) => vi.waitFor(check, { timeout: 15_000, interval: 2 });

test('knows every key that was issued before it started', async () => {
  const { other, start } = processes();
  const keys = [
    await issue(other),
    await issue(other, { name: 'reader', scopes: ['scores:read'] }),
  ];
  const directory = start();
  await directory.ready();
  expect(keys.map(({ token }) => directory.authenticate(token))).toEqual([
    { kind: 'authenticated', keyId: keys[0]?.keyId, name: 'game server', scopes: ['scores:write'] },
    { kind: 'authenticated', keyId: keys[1]?.keyId, name: 'reader', scopes: ['scores:read'] },
  ]);
  expect(directory.state()).toMatchObject({ kind: 'following', keys: 2 });
});

test('learns of a key, and of its revocation, that another process put in the log', async () => {
  const { other, start } = processes();
  const directory = start();
  await directory.ready();
  const { token, keyId } = await issue(other);
  await until(() => expect(directory.authenticate(token).kind).toBe('authenticated'));
  await revokeKey(other, { keyId, revokedBy: 'cli' });
  await until(() =>
    expect(directory.authenticate(token)).toEqual({ kind: 'rejected', reason: 'revoked' }),
  );
});

test('rejects an expired key from its expiry on', async () => {
  const { other, clock, start } = processes();
  const { token } = await issue(other, { expiresAt: clock.now() + 1_000 });
  const directory = start();
  await directory.ready();
  clock.time += 999;
  expect(directory.authenticate(token).kind).toBe('authenticated');
  clock.time += 1;
  expect(directory.authenticate(token)).toEqual({ kind: 'rejected', reason: 'expired' });
});

test('tells a mistyped key from one that nobody issued', async () => {
  const { other, start } = processes();
  const { token, keyId } = await issue(other);
  const directory = start();
  await directory.ready();
  const typo = token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A');
  for (const text of ['', 'x', typo, token.slice(1), `${token} `]) {
    expect(directory.authenticate(text)).toEqual({ kind: 'rejected', reason: 'malformed' });
  }
  const foreign = keyToken(Buffer.alloc(8, 1), Buffer.alloc(32, 1));
  expect(directory.authenticate(foreign)).toEqual({ kind: 'rejected', reason: 'unknown' });
  const guessed = keyToken(Buffer.from(keyId, 'hex'), Buffer.alloc(32, 1));
  expect(directory.authenticate(guessed)).toEqual({ kind: 'rejected', reason: 'unknown' });
});

test('does not tell that a key was revoked to who only knows its id', async () => {
  const { other, start } = processes();
  const { keyId } = await issue(other);
  await revokeKey(other, { keyId, revokedBy: 'cli' });
  const directory = start();
  await directory.ready();
  const guessed = keyToken(Buffer.from(keyId, 'hex'), Buffer.alloc(32, 1));
  expect(directory.authenticate(guessed)).toEqual({ kind: 'rejected', reason: 'unknown' });
});

test('spells the scope admin out as every scope', async () => {
  const { other, start } = processes();
  const { token } = await issue(other, { scopes: ['admin'] });
  const directory = start({ adminKey });
  await directory.ready();
  expect(directory.authenticate(token)).toMatchObject({ scopes: scopeNames });
  expect(directory.authenticate(adminKey)).toEqual({
    kind: 'authenticated',
    keyId: 'admin',
    name: 'admin',
    scopes: scopeNames,
  });
});

test('takes the admin key of configuration as it is, before anything was read, and no other', async () => {
  const { log, start } = processes();
  const directory = start({ adminKey });
  expect(directory.authenticate(adminKey).kind).toBe('authenticated');
  expect(directory.authenticate(`${adminKey}x`)).toEqual({ kind: 'rejected', reason: 'malformed' });
  expect(directory.authenticate(adminKey.slice(1)).kind).toBe('rejected');
  expect(start().authenticate(adminKey).kind).toBe('rejected');
  expect((await log.read('start')).events).toEqual([]);
});

test.each(['', 'short', 'x'.repeat(23), `${'x'.repeat(30)} `])(
  'refuses the admin key %j',
  (key) => {
    expect(() => processes().start({ adminKey: key })).toThrow(TypeError);
  },
);

test('judges nobody before it has caught up', async () => {
  const { other, start } = processes();
  const { token } = await issue(other);
  const directory = start();
  expect(directory.state()).toEqual({ kind: 'starting' });
  expect(() => directory.authenticate(token)).toThrow(ApiKeysUnavailableError);
  await directory.ready();
  expect(directory.authenticate(token).kind).toBe('authenticated');
});

test('a broken log is visible, tried again with growing pauses, and forgotten once it works', async () => {
  let broken = true;
  const { other, clock, start } = processes({ deliver: () => (broken ? 'throw' : undefined) });
  const { token } = await issue(other);
  const directory = start();
  for (const [attempts, pause] of [50, 100, 200, 400].entries()) {
    await until(() => expect(clock.slept.length).toBe(attempts + 1));
    expect(directory.state()).toMatchObject({
      kind: 'retrying',
      attempts: attempts + 1,
      since: 1_700_000_000_000,
      error: expect.any(EventLogError),
    });
    expect(() => directory.authenticate(token)).toThrow(ApiKeysUnavailableError);
    expect(clock.slept.at(-1)).toBe(pause);
    if (attempts === 3) broken = false;
    clock.move(pause);
  }
  await directory.ready();
  expect(directory.state()).toMatchObject({ kind: 'following', keys: 1 });
  expect(directory.authenticate(token).kind).toBe('authenticated');
});

test('pauses never grow beyond their maximum', async () => {
  const { clock, start } = processes({ subscribe: () => breakDown() });
  start();
  for (let attempt = 1; attempt <= 40; attempt += 1) {
    await until(() => expect(clock.slept.length).toBe(attempt));
    clock.move(limits.pauseMsMax);
  }
  expect(Math.max(...clock.slept)).toBe(limits.pauseMsMax);
});

test('keys are judged by what was known for a short while after the log broke, and then not at all', async () => {
  let broken = false;
  const { other, clock, start } = processes({ deliver: () => (broken ? 'throw' : undefined) });
  const { token, keyId } = await issue(other);
  const directory = start();
  await directory.ready();
  broken = true;
  await revokeKey(other, { keyId, revokedBy: 'cli' });
  await until(() => expect(directory.state().kind).toBe('retrying'));
  expect(directory.authenticate(token).kind).toBe('authenticated');
  clock.time += limits.staleMsMax;
  expect(directory.authenticate(token).kind).toBe('authenticated');
  clock.time += 1;
  expect(() => directory.authenticate(token)).toThrow(ApiKeysUnavailableError);
  broken = false;
  clock.move(limits.pauseMsMax);
  await until(() =>
    expect(directory.authenticate(token)).toEqual({ kind: 'rejected', reason: 'revoked' }),
  );
});

test('deliveries that come twice, or from the beginning again, change nothing', async () => {
  const { other, start } = processes({ deliver: () => 'repeat', subscribe: () => ({}) });
  const first = await issue(other);
  const second = await issue(other);
  await revokeKey(other, { keyId: first.keyId, revokedBy: 'cli' });
  const directory = start();
  await directory.ready();
  expect(directory.authenticate(first.token)).toEqual({ kind: 'rejected', reason: 'revoked' });
  expect(directory.authenticate(second.token).kind).toBe('authenticated');
  expect(directory.state()).toMatchObject({ kind: 'following', keys: 2 });
});

test('an event it cannot read halts it, by name; nobody is judged by half a history', async () => {
  const { other, start } = processes();
  const { token } = await issue(other);
  const directory = start({ adminKey });
  await directory.ready();
  await other.log.append('api_key-0123456789abcdef', [strangeEvent()], { expected: 'any' });
  await until(() => expect(directory.state().kind).toBe('halted'));
  expect(directory.state()).toMatchObject({ error: { code: 'unknown-type' } });
  expect(() => directory.authenticate(token)).toThrow(
    expect.objectContaining({ code: 'api-keys-unavailable', state: 'halted' }),
  );
  expect(directory.authenticate(adminKey).kind).toBe('authenticated');

  const late = start();
  await expect(late.ready()).rejects.toMatchObject({ state: 'halted' });
});

test('stops when its signal is aborted, also in the middle of a pause', async () => {
  const { other, clock, start } = processes({ deliver: () => 'throw' });
  await issue(other);
  const directory = start();
  await until(() => expect(clock.slept.length).toBe(1));
  stop.abort();
  await expect(directory.ready()).rejects.toBeInstanceOf(ApiKeysUnavailableError);
  expect(directory.state()).toEqual({ kind: 'stopped' });
});

test('stops when the log is closed', async () => {
  const { log, other, start } = processes();
  const { token } = await issue(other);
  const directory = start();
  await directory.ready();
  await log.close();
  await until(() => expect(directory.state()).toEqual({ kind: 'stopped' }));
  expect(() => directory.authenticate(token)).toThrow(ApiKeysUnavailableError);
});

function strangeEvent(): NewEvent {
  return {
    id: '30309ffe-921a-52fe-9e3b-2ba7c5c54507',
    type: 'api-key-renamed',
    schemaVersion: 1,
    data: '{}',
    contentHash: '0'.repeat(64),
    occurredAt: 1,
  };
}

function breakDown(): never {
  throw new EventLogError('io', 'a fault was asked for');
}
