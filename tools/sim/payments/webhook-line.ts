import type { WebhookDelivery } from '@annals/payments/psp';
import type { WebhookAnswer } from './http-door.ts';
import type { ApiProcess } from './processes.ts';
import { signatureOf } from './provider.ts';
import type { World } from './world.ts';

/** How old a signature may be, by our clock. */
const toleranceMs = 300_000;
/** So many webhooks that were sent are kept, to be sent again when they are old. */
const keptMax = 50;
/** So often, in percent, somebody sends a webhook that no provider has sent just now. */
const forgeries = 20;

const notBelieved = 'webhook-not-believed';

/**
 * The line from providers to the route that takes their webhooks, over HTTP. Others write to it, too: what a provider has
 * not signed just now, over these very bytes, must be refused; what it has must not be.
 */
export class WebhookLine {
  readonly #world: World;
  readonly #sent: WebhookDelivery[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** True when the provider was answered with success. */
  async deliver(api: ApiProcess, delivery: WebhookDelivery): Promise<boolean> {
    const { random, weather, trace, witness, clock } = this.#world;
    if (weather.webhook > 0 && random.chance(forgeries)) await this.#forge(api, delivery);
    this.#sent.push(delivery);
    if (this.#sent.length > keptMax) this.#sent.shift();
    const isFresh = () => Math.abs(clock.now() - signedAt(delivery)) < toleranceMs - 1_000;
    const wasFresh = isFresh();
    const answer = await post(api, delivery);
    trace.say(`${api.name} webhook: ${answer.status} ${answer.what}`);
    if (wasFresh && isFresh() && answer.what === notBelieved) {
      witness.raise('hooks', `a webhook of a provider was refused: ${answer.body}`);
    }
    return answer.status < 300;
  }

  async #forge(api: ApiProcess, delivery: WebhookDelivery): Promise<void> {
    const { random, trace, witness } = this.#world;
    const forged = this.#forgery(random.pick(['secret', 'bytes', 'unsigned', 'stale']), delivery);
    if (!forged) return;
    const answer = await post(api, forged.delivery);
    trace.say(`${api.name} forged webhook, ${forged.what}: ${answer.status} ${answer.what}`);
    if (answer.status === 400 && answer.what === notBelieved) return;
    witness.raise(
      'hooks',
      `a webhook was believed, ${forged.what}: ${answer.status} ${answer.body}`,
    );
  }

  #forgery(
    how: 'secret' | 'bytes' | 'unsigned' | 'stale',
    delivery: WebhookDelivery,
  ): { readonly what: string; readonly delivery: WebhookDelivery } | undefined {
    const { clock } = this.#world;
    const body = Buffer.from(delivery.body).toString();
    switch (how) {
      case 'secret': {
        const signature = signatureOf('whsec_of_somebody', body, signedAt(delivery));
        return { what: 'signed by somebody else', delivery: { ...delivery, signature } };
      }
      case 'bytes': {
        // The same event to whoever reads it, and not the bytes that were signed.
        const altered = Buffer.from(body.replace('{', '{ '));
        return { what: 'with other bytes', delivery: { ...delivery, body: altered } };
      }
      case 'unsigned':
        return { what: 'without a signature', delivery: { ...delivery, signature: undefined } };
      case 'stale': {
        const old = this.#sent.find((one) => clock.now() - signedAt(one) > toleranceMs + 1_000);
        return old && { what: 'signed long ago', delivery: old };
      }
    }
  }
}

async function post(api: ApiProcess, delivery: WebhookDelivery): Promise<WebhookAnswer> {
  if (!api.door) throw new TypeError(`${api.name} has no door`);
  return api.door.takeWebhook(delivery);
}

/** Milliseconds since 1970, as the header says. */
function signedAt({ signature }: WebhookDelivery): number {
  const [, seconds] = /^t=(\d+),/.exec(signature ?? '') ?? [];
  return Number(seconds) * 1_000;
}
