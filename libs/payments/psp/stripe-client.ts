import Stripe from 'stripe';

type HttpClient = NonNullable<Stripe.StripeConfig['httpClient']>;

export interface StripeClientOptions {
  /** Where the API is: Stripe's own, or the sandbox's (`http://127.0.0.1:8090`). */
  readonly url: string;
  readonly key: string;
  /** The longest a call waits, in milliseconds. */
  readonly callMsMax: number;
  /** For calls without a network: the sandbox in the same process. */
  readonly fetch?: typeof fetch;
}

/** The official client, set up so that it sends nothing twice and tells nobody how long calls took. */
export function stripeClient({ url, key, callMsMax, fetch }: StripeClientOptions): Stripe {
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw new TypeError(`${url} is no address of an API`);
  }
  const inner = fetch ? Stripe.createFetchHttpClient(fetch) : Stripe.createNodeHttpClient();
  return new Stripe(key, {
    host: hostname,
    protocol: protocol === 'http:' ? 'http' : 'https',
    port: port || (protocol === 'http:' ? 80 : 443),
    timeout: callMsMax,
    maxNetworkRetries: 0,
    httpClient: new OneAttempt(inner),
    telemetry: false,
    appInfo: { name: 'annals' },
  });
}

/** What a closed connection is called by here: the client sends a request again when it hears ECONNRESET or EPIPE. */
const closedCode = 'CONNECTION_CLOSED';

/**
 * The client sends a request a second time when its connection was closed, even with `maxNetworkRetries: 0`
 * (`RequestSender._shouldRetry`): the intent event knows of one call. Here the error has another code.
 */
class OneAttempt implements HttpClient {
  readonly #inner: HttpClient;

  constructor(inner: HttpClient) {
    this.#inner = inner;
  }

  getClientName(): string {
    return this.#inner.getClientName();
  }

  async makeRequest(...request: Parameters<HttpClient['makeRequest']>) {
    try {
      return await this.#inner.makeRequest(...request);
    } catch (error) {
      const { code } = error as { readonly code?: string };
      if (code === undefined || !closedCodes.includes(code)) throw error;
      const closed = new Error('the connection was closed', { cause: error });
      throw Object.assign(closed, { code: closedCode });
    }
  }
}

const closedCodes: readonly string[] = ['ECONNRESET', 'EPIPE'];
