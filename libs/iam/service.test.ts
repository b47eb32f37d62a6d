import { type AppendFault, type MemoryLogFaults, memoryEventLog } from '@annals/event-log';
import { describe, expect, test } from 'vitest';
import { issueKey, listKeys, revokeKey } from './service.ts';

const request = { name: 'game server', scopes: ['scores:write'], issuedBy: 'cli' };

/** A log, and a clock that only moves when it is told to or slept on. */
function means(faults: MemoryLogFaults = {}) {
  const log = memoryEventLog({ faults });
  const clock = {
    time: 1_700_000_000_000,
    slept: [] as number[],
    now: () => clock.time,
    sleep: async (ms: number) => {
      clock.slept.push(ms);
      clock.time += ms;
    },
  };
  return { log, clock };
}

async function issuedWith(these: ReturnType<typeof means>, more: object = {}) {
  const issued = await issueKey(these, { ...request, ...more });
  if (issued.kind !== 'issued') throw new Error(JSON.stringify(issued));
  return issued;
}

/** Answers the first appends with these faults. */
function faultsInTurn(...faults: (AppendFault | undefined)[]): MemoryLogFaults {
  return { append: () => faults.shift() };
}

describe('issuing', () => {
  test('gives a token that is kept nowhere; the log holds its hash', async () => {
    const these = means();
    const { token, keyId } = await issuedWith(these);
    expect(token).toMatch(/^annals_[0-9a-f]{16}_[A-Za-z0-9_-]{49}$/);
    const { events } = await these.log.read('start');
    expect(events.map((event) => [event.stream, event.type])).toEqual([
      [`api_key-${keyId}`, 'api-key-issued'],
    ]);
    const secret = token.split('_').slice(2).join('_').slice(0, 43);
    expect(JSON.stringify(events)).not.toContain(secret);
  });

  test('gives another token each time', async () => {
    const these = means();
    const tokens = new Set([(await issuedWith(these)).token, (await issuedWith(these)).token]);
    expect(tokens.size).toBe(2);
  });

  test('refuses what decide refuses, and stores nothing', async () => {
    const these = means();
    const issued = await issueKey(these, { ...request, scopes: ['root'] });
    expect(issued).toMatchObject({ kind: 'refused', reason: 'invalid-scopes' });
    expect((await these.log.read('start')).events).toEqual([]);
  });

  test('refuses one key more than the log may hold', async () => {
    const these = means();
    const count = async () => new Map([['api-key-issued', 100_000]]);
    const log = Object.assign(these.log, { count });
    const issued = await issueKey({ ...these, log }, request);
    expect(issued).toMatchObject({ kind: 'refused', reason: 'too-many-keys' });
  });

  test.each(['unknown-stored', 'unknown-not-stored'] as const)(
    'sends the same event again when the outcome is %s',
    async (fault) => {
      const these = means(faultsInTurn(fault, fault));
      const { keyId } = await issuedWith(these);
      expect((await these.log.read('start')).events.length).toBe(1);
      expect(these.clock.slept).toEqual([50, 100]);
      expect((await listKeys(these)).map((key) => key.keyId)).toEqual([keyId]);
    },
  );

  test('says so when the outcome stays unknown', async () => {
    const these = means({ append: () => 'unknown-stored' });
    const issued = await issueKey(these, request);
    expect(issued.kind).toBe('unknown');
    const [listed] = await listKeys(these);
    expect(issued).toMatchObject({ keyId: listed?.keyId });
  });

  test('says so when the log is overloaded', async () => {
    expect((await issueKey(means(faultsInTurn('overloaded')), request)).kind).toBe('unavailable');
    expect((await issueKey(means(faultsInTurn('unreachable')), request)).kind).toBe('unavailable');
  });

  test('lets broken I/O through', async () => {
    const issuing = issueKey(means(faultsInTurn('throw-not-stored')), request);
    await expect(issuing).rejects.toMatchObject({ name: 'EventLogError', code: 'io' });
  });
});

describe('revoking', () => {
  test('stores one event, however often it is asked for', async () => {
    const these = means();
    const { keyId } = await issuedWith(these);
    const once = await revokeKey(these, { keyId, revokedBy: 'cli' });
    expect(once).toEqual({ kind: 'revoked', keyId, already: false });
    const twice = await revokeKey(these, { keyId, revokedBy: 'admin' });
    expect(twice).toEqual({ kind: 'revoked', keyId, already: true });
    expect((await these.log.read('start')).events.length).toBe(2);
  });

  test('by two at once succeeds for both, and is one event', async () => {
    const these = means();
    const { keyId } = await issuedWith(these);
    const answers = await Promise.all([
      revokeKey(these, { keyId, revokedBy: 'cli' }),
      revokeKey(these, { keyId, revokedBy: 'admin' }),
    ]);
    expect(answers.map((answer) => answer.kind)).toEqual(['revoked', 'revoked']);
    expect((await these.log.read('start')).events.length).toBe(2);
  });

  test.each([
    ['unknown-key', 'ffffffffffffffff'],
    ['invalid-key-id', 'nobody'],
    ['invalid-key-id', ''],
    ['invalid-key-id', 'x'.repeat(10_000)],
  ])('refuses with %s the key %j', async (reason, keyId) => {
    const answer = await revokeKey(means(), { keyId, revokedBy: 'cli' });
    expect(answer).toMatchObject({ kind: 'refused', reason });
  });
});

test('lists every key with its status, the first issued first, without hashes', async () => {
  const these = means();
  const first = await issuedWith(these, { name: 'first' });
  these.clock.time += 1_000;
  const expiresAt = these.clock.time + 10;
  const second = await issuedWith(these, { name: 'second', expiresAt });
  these.clock.time += 1_000;
  const third = await issuedWith(these, { name: 'third', scopes: ['admin'] });
  await revokeKey(these, { keyId: first.keyId, revokedBy: third.keyId });

  expect(await listKeys(these)).toEqual([
    {
      keyId: first.keyId,
      name: 'first',
      scopes: ['scores:write'],
      issuedAt: 1_700_000_000_000,
      issuedBy: 'cli',
      revoked: { at: 1_700_000_002_000, by: third.keyId },
      status: 'revoked',
    },
    {
      keyId: second.keyId,
      name: 'second',
      scopes: ['scores:write'],
      issuedAt: 1_700_000_001_000,
      issuedBy: 'cli',
      expiresAt,
      status: 'expired',
    },
    {
      keyId: third.keyId,
      name: 'third',
      scopes: ['admin'],
      issuedAt: 1_700_000_002_000,
      issuedBy: 'cli',
      status: 'active',
    },
  ]);
});

test('keys come from the random source it is given', async () => {
  const randomBytes = (bytes: number) => new Uint8Array(bytes).fill(7);
  const { token } = await issuedWith({ ...means(), ...{ randomBytes } });
  expect(token.startsWith('annals_0707070707070707_')).toBe(true);
  const these = { ...means(), randomBytes };
  await issuedWith(these);
  expect(await issueKey(these, request)).toMatchObject({ reason: 'key-exists' });
});
