import { createServer, type HttpServer } from '@annals/http';
import type { Psp, Routable, WebhookDelivery } from '@annals/payments/psp';
import type { ObserverMeans } from '@annals/payments/reactors';
import {
  type PaymentsApiMeans,
  type PspWebhookMeans,
  paymentsErrors,
  paymentsRoutes,
  scopes,
} from '@annals/payments-api';

import { pagePspOf } from './front-desk.ts';

/** The providers that there are. */
export const providerNames = ['one', 'two'] as const;

/** As many processes that take requests may start in one seed. */
const doorsMax = 6;

/** What the routes of payments, orders and payouts work with. */
type DoorMeans = Pick<
  PaymentsApiMeans,
  'log' | 'cipher' | 'clock' | 'payments' | 'paymentsRead' | 'wallets' | 'idempotency' | 'payoutPsp'
>;

export interface DoorUse {
  readonly means: DoorMeans;
  /** The providers, in the order of `providerNames`, and who follows their webhooks. */
  readonly psps: readonly Psp[];
  readonly observer: ObserverMeans;
  /** Takes what the app writes into its log. */
  readonly logged: (line: string) => void;
  /** Whether the line breaks before an answer has gone through it. */
  readonly isCut: () => boolean;
}

/** An answer as it comes off the line. */
export interface Answered {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly isReplayed: boolean;
}

/** What a provider hears. `what` is the problem's code, or what came of the webhook. */
export interface WebhookAnswer {
  readonly status: number;
  readonly what: string;
  readonly body: string;
}

export interface Asked {
  readonly caller: string;
  readonly route: string;
  readonly key: string | undefined;
  readonly body: object | undefined;
}

/**
 * The real app, asked without sockets. To make one takes longer than a whole seed has, so apps are lent to one process
 * after the other, never twice within a seed: what a dead process has under way is never seen by a living one.
 */
export class HttpDoor {
  static readonly #idle: HttpDoor[] = [];
  #server: HttpServer | undefined;
  #use: DoorUse | undefined;
  #asked = 0;
  /** How often it was lent. */
  #lent = 0;

  /** Opens apps until there are as many as a seed may take: in the midst of one, opening would take turns of others. */
  static async prepare(): Promise<void> {
    while (HttpDoor.#idle.length < doorsMax) HttpDoor.#idle.push(await HttpDoor.#open());
  }

  static get left(): number {
    return HttpDoor.#idle.length;
  }

  static lend(use: DoorUse): HttpDoor {
    const door = HttpDoor.#idle.pop();
    if (!door) throw new TypeError('all apps are lent');
    door.#use = use;
    door.#asked = 0;
    door.#lent += 1;
    return door;
  }

  /** To be called when the seed is over. */
  giveBack(): void {
    this.#use = undefined;
    HttpDoor.#idle.push(this);
  }

  async ask({ caller, route, key, body }: Asked): Promise<Answered> {
    this.#asked += 1;
    const [method, url] = route.split(' ');
    const answer = await this.#inject(method as 'POST', url ?? '', caller, {
      ...(key === undefined ? {} : { 'idempotency-key': key }),
      // Else it is made by chance, and stands in problems.
      'x-request-id': `request-${this.#asked}`,
      ...(body === undefined ? {} : { payload: body }),
    });
    if (!this.#use || this.#use.isCut()) throw new Error('the line was cut');
    const type = String(answer.headers['content-type']);
    const isReplayed = answer.headers['idempotent-replayed'] === 'true';
    return { status: answer.statusCode, type, body: answer.body, isReplayed };
  }

  /** A webhook of a provider, byte for byte. */
  async takeWebhook({ body, signature }: WebhookDelivery): Promise<WebhookAnswer> {
    if (!this.#server) throw new TypeError('the app was not opened');
    this.#asked += 1;
    const { statusCode: status, body: text } = await this.#server.inject({
      ...{ method: 'POST', url: '/v1/psp/webhooks', payload: Buffer.from(body) },
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'x-request-id': `request-${this.#asked}`,
        ...(signature === undefined ? {} : { 'stripe-signature': signature }),
      },
    });
    // After it was followed: the provider has no answer, and sends it again.
    if (!this.#use || this.#use.isCut()) throw new Error('the line was cut');
    const { code, received } = JSON.parse(text) as { readonly [member: string]: unknown };
    return { status, what: String(code ?? received), body: text };
  }

  async metrics(): Promise<string> {
    return (await this.#inject('GET', '/metrics', 'web', {})).body;
  }

  #inject(
    method: 'GET' | 'POST',
    url: string,
    caller: string,
    { payload, ...headers }: { readonly payload?: object; readonly [header: string]: unknown },
  ) {
    if (!this.#server) throw new TypeError('the app was not opened');
    return this.#server.inject({
      ...{ method, url, headers: { ...headers, authorization: `Bearer ${caller}` } as never },
      ...(payload === undefined ? {} : { payload }),
    });
  }

  get #used(): DoorUse {
    if (!this.#use) throw new TypeError('the app is not lent');
    return this.#use;
  }

  /** As `means`: what is asked of it is asked of the process that the app is lent to. */
  #webhookMeans(): PspWebhookMeans {
    const psps = providerNames.map((name, index) => ({
      name,
      parseWebhook: (delivery: WebhookDelivery) => {
        const parsed = this.#used.psps[index]?.parseWebhook(delivery);
        if (parsed?.kind !== 'hint') return parsed;
        // What the app remembers of the process before means nothing to this one.
        const eventId = `${this.#lent} ${parsed.hint.eventId}`;
        return { kind: 'hint', hint: { ...parsed.hint, eventId } };
      },
    })) as unknown as readonly Psp[];
    return {
      psps,
      observer: {
        psp: (name) => this.#used.observer.psp(name),
        observe: (object) => this.#used.observer.observe(object),
      },
      clock: { now: () => this.#used.means.clock.now() },
    };
  }

  static async #open(): Promise<HttpDoor> {
    const door = new HttpDoor();
    // Routes take what they work with when they are called: it is that of the process the app is lent to.
    const means = new Proxy({} as PaymentsApiMeans, {
      get: (_, name) => {
        if (name === 'pspWebhooks') return door.#webhookMeans();
        if (name === 'pagePsp') return ({ amount }: Routable) => pagePspOf(amount.amount);
        return door.#use && Reflect.get(door.#use.means, name);
      },
    });
    door.#server = await createServer({
      api: { title: 'Payments', version: '1.0.0' },
      routes: paymentsRoutes(means),
      errors: [paymentsErrors],
      authenticator: {
        // Tokens are the names of callers here.
        authenticate: (token) => {
          const caller = { keyId: token, name: token, scopes: Object.values(scopes) };
          return { kind: 'authenticated', ...caller };
        },
      },
      log: {
        level: 'debug',
        requests: 'all',
        stream: { write: (line) => door.#use?.logged(line) },
      },
      ...{ rateLimit: false, processMetrics: false, checkResponses: true, docs: false },
    });
    return door;
  }
}
