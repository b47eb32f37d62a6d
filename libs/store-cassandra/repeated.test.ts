import cassandra from 'cassandra-driver';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CassandraConnection } from './connection.ts';
import { limits } from './limits.ts';
import { parseCassandraUrl } from './url.ts';

const { Client, errors, policies } = cassandra;
const place = parseCassandraUrl('cassandra://127.0.0.1:9/annals?datacenter=dc1');
const read = 'SELECT a FROM t WHERE k = ?';
const write = 'INSERT INTO t (k, a) VALUES (?, ?) USING TIMESTAMP ?';
const decide = 'UPDATE t SET a = ? WHERE k = ? IF a = ?';

/** Nobody knows whether it took effect. */
const timedOut = () => new errors.OperationTimedOutError('the host did not answer');
const refused = () => new errors.AuthenticationError('wrong password');

/** What the driver was asked to send, and what it says each time. */
let sent: number;
let says: () => Error | undefined;

beforeEach(() => {
  vi.useFakeTimers();
  sent = 0;
  says = timedOut;
  const send = async () => {
    sent += 1;
    const error = says();
    if (error) throw error;
    return { rows: [{ '[applied]': true }], pageState: null, info: {} };
  };
  vi.spyOn(Client.prototype, 'execute').mockImplementation(send as never);
  vi.spyOn(Client.prototype, 'batch').mockImplementation(send as never);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** How often it is sent until the answer, and the answer. */
async function sendings(ask: (connection: CassandraConnection) => Promise<unknown>) {
  const asked = ask(new CassandraConnection(place)).then(
    () => 'done',
    (error: { code?: string }) => error.code,
  );
  await vi.runAllTimersAsync();
  return { answer: await asked, sent };
}

const brokenSocket = () =>
  Object.assign(new Error('Socket was closed'), { name: 'DriverError', isSocketError: true });

const two = [
  { query: write, params: ['k', 'a', 1n] },
  { query: write, params: ['k', 'b', 2n] },
];

describe.each([
  ['a read', (one: CassandraConnection) => one.execute(read, ['k'])],
  ['a page', (one: CassandraConnection) => one.page(read, ['k'], 10, undefined)],
  ['a serial read', (one: CassandraConnection) => one.serialRead(read, ['k'])],
  ['a write with a stamp', (one: CassandraConnection) => one.execute(write, ['k', 'a', 1n])],
  ['several of them in one step', (one: CassandraConnection) => one.batch(two)],
])('%s changes nothing when it is repeated', (_, ask) => {
  it('and is sent again after a failure that may pass, so many times at most', async () => {
    expect(await sendings(ask)).toEqual({ answer: 'unknown-outcome', sent: limits.attemptsMax });
    sent = 0;
    says = () => (sent < 2 ? timedOut() : undefined);
    expect(await sendings(ask)).toEqual({ answer: 'done', sent: 2 });
  });

  it('and is not sent again after one that stays', async () => {
    says = refused;
    expect(await sendings(ask)).toEqual({ answer: 'refused', sent: 1 });
  });
});

describe.each([
  ['a compare-and-set', (one: CassandraConnection) => one.compareAndSet(decide, ['b', 'k', 'a'])],
  [
    'compare-and-sets of one partition',
    (one: CassandraConnection) =>
      one.compareAndSetAll([{ query: decide, params: ['b', 'k', 'a'] }]),
  ],
  ['a change of the schema', (one: CassandraConnection) => one.schema('CREATE TABLE t (k int)')],
])('%s might take effect twice', (_, ask) => {
  it('so it is sent once, and who sent it is told that nobody knows', async () => {
    expect(await sendings(ask)).toEqual({ answer: 'unknown-outcome', sent: 1 });
  });
});

it('the driver itself repeats nothing', async () => {
  let client: cassandra.Client | undefined;
  vi.spyOn(Client.prototype, 'execute').mockImplementation(async function (this: cassandra.Client) {
    client = this;
    return { rows: [], pageState: null };
  } as never);
  await new CassandraConnection(place).execute(read, ['k']);
  const { options } = client as unknown as { options: cassandra.ClientOptions };
  expect(options.policies?.retry).toBeInstanceOf(policies.retry.FallthroughRetryPolicy);
});

it('a read is repeated where the connection broke', async () => {
  says = brokenSocket;
  const { answer, sent: times } = await sendings((one) => one.execute(read, ['k']));
  expect(answer).toBe('unknown-outcome');
  expect(times).toBe(limits.attemptsMax);
});

it('for who must answer sooner, all sendings together have the time of one', async () => {
  const answerMsMax = 1_000;
  const hanging = async () => {
    sent += 1;
    await new Promise((resolve) => setTimeout(resolve, answerMsMax));
    throw timedOut();
  };
  vi.spyOn(Client.prototype, 'execute').mockImplementation(hanging as never);
  const begun = performance.now();
  let ended = begun;
  const asked = new CassandraConnection(place, { answerMsMax }).execute(read, ['k']).catch(() => {
    ended = performance.now();
  });
  await vi.runAllTimersAsync();
  await asked;
  expect(sent).toBe(1);
  expect(ended - begun).toBe(answerMsMax);
});

it('a node that was away is looked for every two seconds at the least, however long it was', async () => {
  let client: cassandra.Client | undefined;
  vi.spyOn(Client.prototype, 'execute').mockImplementation(async function (this: cassandra.Client) {
    client = this;
    return { rows: [], pageState: null, info: {} } as never;
  } as never);
  await new CassandraConnection(place).execute(read, ['k']);
  const { policies } = (client as unknown as { options: cassandra.ClientOptions }).options;
  const delays = policies?.reconnection?.newSchedule();
  for (let look = 0; look < 20; look += 1) {
    expect(delays?.next().value).toBeLessThanOrEqual(limits.reconnectMsMax);
  }
});

it('a read is sent again to a node that has not heard yet of a table that was just made', async () => {
  const unknown = new errors.ResponseError(
    0,
    'java.lang.IllegalArgumentException: Unknown CF 279c',
  );
  says = () => (sent < 2 ? unknown : undefined);
  const found = await sendings((one) => one.execute(read, ['k']));
  expect(found).toEqual({ answer: 'done', sent: 2 });
});
