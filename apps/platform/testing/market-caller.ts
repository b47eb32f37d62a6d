import { setTimeout as pause } from 'node:timers/promises';
import { adminKey } from './open-platform.ts';

export interface Told {
  readonly status: number;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  readonly json: any;
  readonly replayed: boolean;
}

/** A request that has one effect and one answer: with these very members it can be sent again. */
export interface KeyedRequest {
  readonly path: string;
  readonly key: string;
  readonly body?: object | undefined;
}

/** How long one request waits: whoever was to answer may have been killed. */
const answerMsMax = 20_000;
const againMs = 500;

/** Somebody who calls an API that is killed now and then: asks again until there is an answer, and keeps what it was. */
export class MarketCaller {
  readonly #url: string;
  readonly #deadline: () => number;
  /** By key: the request and what it was answered first. */
  readonly answers = new Map<string, KeyedRequest & { readonly told: Told }>();
  /** Answers that came for one key and were not the same; there must be none. */
  readonly differing: string[] = [];
  unanswered = 0;

  /** After the deadline nothing is asked again. */
  constructor(url: string, deadline: () => number) {
    this.#url = url;
    this.#deadline = deadline;
  }

  /** Sends it until it is known what it came to. */
  async tell(request: KeyedRequest): Promise<Told> {
    for (;;) {
      const told = await this.send(request);
      if (told && isFinal(told)) {
        this.#keep(request, told);
        return told;
      }
      await this.#again(`POST ${request.path}`, told);
    }
  }

  /** The same at the same moment by two connections. */
  async tellTwice(request: KeyedRequest): Promise<Told> {
    const [told] = await Promise.all([this.tell(request), this.tell(request)]);
    return told;
  }

  async read(path: string): Promise<Told['json']> {
    for (;;) {
      const told = await this.#fetch(path, { method: 'GET' });
      if (told?.status === 200) return told.json;
      // What was acknowledged is there, and stays there.
      if (told && isFinal(told)) throw new Error(`GET ${path}: ${told.status} ${told.text}`);
      await this.#again(`GET ${path}`, told);
    }
  }

  /** Once; undefined where there was no answer. */
  send({ path, key, body }: KeyedRequest): Promise<Told | undefined> {
    return this.#fetch(path, { method: 'POST', headers: { 'idempotency-key': key } }, body);
  }

  put(path: string, body: object): Promise<Told | undefined> {
    return this.#fetch(path, { method: 'PUT' }, body);
  }

  #keep(request: KeyedRequest, told: Told): void {
    const first = this.answers.get(request.key)?.told;
    if (!first) this.answers.set(request.key, { ...request, told });
    else if (first.status !== told.status || first.text !== told.text) {
      this.differing.push(`${request.key}: ${first.text} and ${told.text}`);
    }
  }

  async #again(what: string, told: Told | undefined): Promise<void> {
    this.checkTime(`${what}; at last ${told?.status ?? 'no answer'} ${told?.text}`);
    await pause(againMs);
  }

  /** Throws where its time is over. */
  checkTime(what: string): void {
    if (Date.now() > this.#deadline()) throw new Error(`in vain: ${what}`);
  }

  async #fetch(
    path: string,
    { method, headers = {} }: { readonly method: string; readonly headers?: object },
    body?: object,
  ): Promise<Told | undefined> {
    try {
      const type = body ? { 'content-type': 'application/json' } : {};
      const response = await fetch(this.#url + path, {
        ...{ method, headers: { authorization: `Bearer ${adminKey}`, ...type, ...headers } },
        ...(body ? { body: JSON.stringify(body) } : {}),
        signal: AbortSignal.timeout(answerMsMax),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('json');
      const replayed = response.headers.get('idempotent-replayed') === 'true';
      return { status: response.status, text, json: isJson ? JSON.parse(text) : text, replayed };
    } catch {
      this.unanswered += 1;
      return undefined;
    }
  }
}

/** What passes by itself. */
const passing = new Set(['request-in-flight', 'in-progress', 'wallet-behind', 'rate-limited']);

/** Whether sending it again would come to the same. */
function isFinal({ status, json }: Told): boolean {
  return status < 500 && !passing.has(json?.code);
}
