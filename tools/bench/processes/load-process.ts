import { connect, type Socket } from 'node:net';
import { playerId } from '../data/score-feed.ts';

/**
 * A process that loads an HTTP server over keep-alive connections. It writes whole requests and reads
 * only what it must of the answers (status, Content-Length), so that it takes little of the machine it
 * shares with the server. Gets one `Load` message at a time, answers each with `Loaded`.
 */
export interface Load {
  readonly port: number;
  readonly authorization: string;
  /**
   * `standing`: GET of a random player. `top`: GET of the best ten. `score`: POST of a new match of a random player. `payment`: POST of the next payment
   * to a random seller. `status`: GET of one of the first payments that a process like this one has sent.
   */
  readonly request: 'standing' | 'top' | 'score' | 'payment' | 'status';
  /** What follows the path of a GET. */
  readonly query?: string;
  /** How many there are to choose from: players, sellers or payments. */
  readonly players: number;
  readonly connections: number;
  readonly durationMs: number;
  /**
   * Requests begun a second, evenly, whether or not earlier ones were answered; latency then counts
   * from when a request was due. Without it each connection sends the next as the last is answered.
   */
  readonly perSecond?: number;
}

export interface Loaded {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers by status code. */
  readonly statuses: { readonly [status: string]: number };
  /** The body of one answer. */
  readonly sample: string;
}

const tickMs = 1;
/** Time left for the answers to the last requests. */
const drainMsMax = 10_000;
/** Matches or payments. */
let posted = 0;

type OnAnswer = (connection: Connection, status: string, body: Buffer) => void;

class Connection {
  readonly #socket: Socket;
  readonly #onAnswer: OnAnswer;
  /** When the request under way was due. */
  dueAt = 0;
  #received: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket, onAnswer: OnAnswer) {
    this.#socket = socket;
    this.#onAnswer = onAnswer;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  static open(port: number, onAnswer: OnAnswer): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new Connection(socket, onAnswer)));
    });
  }

  send(request: string, dueAt: number): void {
    this.dueAt = dueAt;
    this.#socket.write(request);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = this.#received.toString('latin1', 0, headEnd);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (length === undefined) throw new Error(`an answer without Content-Length: ${head}`);
    const bodyStart = headEnd + 4;
    if (this.#received.length < bodyStart + Number(length)) return;
    const body = this.#received.subarray(bodyStart, bodyStart + Number(length));
    this.#received = Buffer.alloc(0);
    this.#onAnswer(this, head.slice(9, 12), body);
  }
}

function requestOf({ port, authorization, request, query = '', players }: Load): string {
  const one = Math.floor(Math.random() * players);
  const host = `Host: 127.0.0.1:${port}\r\nAuthorization: ${authorization}\r\n`;
  const read = {
    standing: () => `scores/${playerId(one)}`,
    top: () => 'scores',
    status: () => `payments/${paymentId(one)}`,
  };
  if (request === 'standing' || request === 'top' || request === 'status') {
    const path = read[request]();
    return `GET /v1/${path}${query} HTTP/1.1\r\n${host}\r\n`;
  }
  const number = posted;
  posted += 1;
  const [path, input] =
    request === 'score'
      ? [
          'scores',
          { user_id: playerId(one), points: 3, match_id: `bench-${process.pid}-${number}` },
        ]
      : ['payments', paymentInput(paymentId(number), `shop-${one}`)];
  const body = JSON.stringify(input);
  const type = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  return `POST /v1/${path} HTTP/1.1\r\n${host}${type}\r\n${body}`;
}

function paymentId(number: number): string {
  return `payment-${number}`;
}

function paymentInput(checkoutId: string, seller: string) {
  return {
    checkout_id: checkoutId,
    buyer_info: { name: 'Ann' },
    credit_card_info: 'pm_card_visa',
    payment_orders: [
      { payment_order_id: 'order-1', seller_account: seller, amount: '1999', currency: 'USD' },
    ],
  };
}

async function run(load: Load): Promise<Loaded> {
  const latencies: number[] = [];
  const statuses: { [status: string]: number } = {};
  let sample = '';
  const started = performance.now();
  const ends = started + load.durationMs;
  const idle: Connection[] = [];
  let underWay = 0;
  const finished = Promise.withResolvers<void>();
  const begin = (connection: Connection, dueAt: number) => {
    underWay += 1;
    connection.send(requestOf(load), dueAt);
  };
  const onAnswer = (connection: Connection, status: string, body: Buffer) => {
    const now = performance.now();
    latencies.push(now - connection.dueAt);
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (sample === '') sample = body.toString();
    underWay -= 1;
    if (load.perSecond !== undefined) idle.push(connection);
    else if (now < ends) begin(connection, now);
    if (underWay === 0 && now >= ends) finished.resolve();
  };
  const connections = await Promise.all(
    Array.from({ length: load.connections }, () => Connection.open(load.port, onAnswer)),
  );
  let timer: NodeJS.Timeout | undefined;
  if (load.perSecond === undefined) {
    for (const connection of connections) begin(connection, performance.now());
  } else {
    idle.push(...connections);
    timer = atSteadyRate(load.perSecond, started, ends, idle, begin);
  }
  // At a steady rate nothing may be under way as the time is over, and no answer says that all is done.
  const over = setTimeout(() => underWay === 0 && finished.resolve(), load.durationMs + tickMs);
  const drain = setTimeout(() => finished.resolve(), load.durationMs + drainMsMax);
  await finished.promise;
  clearTimeout(over);
  clearTimeout(drain);
  clearInterval(timer);
  const elapsedMs = performance.now() - started;
  for (const connection of connections) connection.close();
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN;
  return {
    requests: latencies.length,
    perSecond: (latencies.length * 1_000) / elapsedMs,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    statuses,
    sample,
  };
}

/** Begins each request when it is due, or as soon as a connection is free; its latency counts from when it was due. */
function atSteadyRate(
  perSecond: number,
  started: number,
  ends: number,
  idle: Connection[],
  begin: (connection: Connection, dueAt: number) => void,
): NodeJS.Timeout {
  let begun = 0;
  return setInterval(() => {
    const now = Math.min(performance.now(), ends);
    for (;;) {
      const dueAt = started + (begun * 1_000) / perSecond;
      const connection = dueAt <= now ? idle.pop() : undefined;
      if (!connection) return;
      begun += 1;
      begin(connection, dueAt);
    }
  }, tickMs);
}

process.on('message', async (load: Load) => {
  process.send?.(await run(load));
});
process.on('disconnect', () => process.exit(0));
