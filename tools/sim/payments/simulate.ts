import type { WebhookDelivery } from '@annals/payments/psp';
import { everyWebhookType } from '@annals/payments/webhooks-out';
import type { GenerationDirectory } from '@annals/projection';
import { type Outcome, outcomeOf } from '../outcome.ts';
import { Random } from '../random.ts';
import { InvariantError, Trace } from '../trace.ts';
import { Almanac, releaseAfterDays, schedules } from './almanac.ts';
import { Clients, sellers } from './clients.ts';
import { dayMs } from './days.ts';
import { Erasing } from './erasing.ts';
import { HttpDoor, providerNames } from './http-door.ts';
import { checkReadModels } from './invariants.ts';
import { PageBuyers } from './page-buyers.ts';
import { drawParts } from './parts.ts';
import {
  type ApiProcess,
  type Outside,
  type ProjectorProcess,
  startApi,
  startProjector,
  startWorker,
  type WorkerProcess,
} from './processes.ts';
import { Provider, ProviderBooks } from './provider.ts';
import { Settling } from './settling.ts';
import { Shop, shopName, shopUrl } from './shop.ts';
import { Steps } from './steps.ts';
import { currencies } from './twin-wallets.ts';
import { WebhookLine } from './webhook-line.ts';
import { fair, makeWorld, type World } from './world.ts';

const traceLinesKept = 80;
const stepsMin = 30;
const stepsMax = 85;
/** Our clocks may be off by so much: less than what the adapter's terms leave for that. */
const clockOffMsMax = 120_000;

/** Plays one seed: random commands and faults, then fair weather, then every promise is checked. */
export async function simulatePayments(seed: number): Promise<Outcome> {
  const trace = new Trace(traceLinesKept);
  return outcomeOf(seed, trace, new Simulation(seed, trace));
}

function onSchedule(seller: number) {
  return { release_after_days: releaseAfterDays[seller] ?? 0, ...schedules[seller] };
}

/** Before the checkout is stored, and before and after the provider has made the page. */
const waitsBeforeCrash = [
  [1, 0],
  [2, 5],
  [2, 200],
  [2, 2_000],
] as const;

type Act = readonly [string, () => void | Promise<void>];

class Simulation {
  readonly #world: World;
  readonly #random: Random;
  readonly #clients: Clients;
  readonly #providers: readonly Provider[];
  readonly #books: ProviderBooks;
  readonly #steps: Steps;
  readonly #erasing: Erasing;
  readonly #shop: Shop;
  readonly #webhookLine: WebhookLine;
  readonly #pageBuyers: PageBuyers;
  #apis: ApiProcess[] = [];
  #workers: WorkerProcess[] = [];
  #projectors: ProjectorProcess[] = [];
  readonly #doors: HttpDoor[] = [];
  #started = 0;
  #clockOffMs = 0;
  #backup: ReturnType<World['databases']['wallets']['backup']> | undefined;

  constructor(seed: number, trace: Trace) {
    this.#random = new Random(seed);
    // Mostly all of it is one day for the settlement files; now and then midnight is in the middle of it.
    const hour = this.#random.chance(75) ? 1 : 23;
    const minute = this.#random.int(0, 59);
    const parts = drawParts(seed);
    // The last days of a month, which end with a Monday: everybody's payday.
    const day = parts.schedule ? this.#random.int(26, 29) : 24;
    const start = Date.UTC(2026, 10, day, hour, minute);
    this.#world = makeWorld(this.#random, parts, start, trace);
    const { witness, clock } = this.#world;
    const loses = { losesAny: parts.schedule || parts.pages, losesPages: parts.pages };
    const receive = (psp: string, delivery: WebhookDelivery) => this.#receive(psp, delivery);
    this.#providers = providerNames.map(
      (name) => new Provider({ name, clock, random: this.#random, witness, ...loses, receive }),
    );
    this.#books = new ProviderBooks(this.#providers);
    this.#clients = new Clients(this.#world);
    this.#shop = new Shop(this.#world);
    this.#webhookLine = new WebhookLine(this.#world);
    this.#erasing = new Erasing(this.#world);
    this.#steps = new Steps(this.#world, this.#clients, this.#providers);
    this.#pageBuyers = new PageBuyers(this.#world, this.#providers, (what, work) =>
      this.#steps.begin(what, work),
    );
  }

  get events(): number {
    return this.#world.witness.facts.length;
  }

  async run(): Promise<void> {
    const { trace, clock, projectorClock, parts } = this.#world;
    if (parts.http) await HttpDoor.prepare();
    for (const provider of this.#providers) void provider.run();
    for (let count = 0; count < 2; count += 1) {
      this.#startApi();
      this.#startProjector();
    }
    this.#startWorker();
    await clock.advance(1_000);
    await this.#registerSellers();
    if (parts.merchants) await this.#registerShop();
    this.#turnWeather();
    const steps = this.#random.int(stepsMin, stepsMax);
    for (let step = 0; step < steps; step += 1) {
      const [name, act] = this.#drawStep();
      trace.say(`${step} ${name}`);
      await act();
      await projectorClock.pass(this.#drawWait());
      this.#notice();
    }
    await this.#settle();
  }

  end(): void {
    for (const process of [...this.#apis, ...this.#workers, ...this.#projectors]) process.kill();
    for (const provider of this.#providers) provider.end();
    for (const door of this.#doors) door.giveBack();
  }

  /** What may have been broken since the last look. */
  #notice(): void {
    const { witness } = this.#world;
    this.#books.check(witness);
    witness.check();
    const [told] = this.#clients.alarms;
    if (told) throw new InvariantError('told', told);
    const [refused] = this.#workers.flatMap(({ alarms }) => alarms);
    if (refused) throw new InvariantError('reactors', refused);
  }

  #drawWait(): number {
    return this.#random.weighted([
      [6, 0],
      [6, 50],
      [4, 1_000],
      [3, 15_000],
      [1, 120_000],
    ]);
  }

  #drawStep(): Act {
    const steps = this.#steps;
    const api = () => this.#random.pick(this.#apis);
    // What falls due is drawn here, where there is no schedule for it.
    const isLeft = !this.#world.parts.schedule;
    return this.#random.weighted<Act>([
      [26, ['pay', () => this.#clients.send(api(), this.#clients.drawPayment())]],
      [8, ['resend', () => this.#resend()]],
      [8, ['buyer', () => steps.answerAction()]],
      [6, ['capture', () => steps.capture(api())]],
      [3, ['cancel', () => steps.cancel(api())]],
      [14, ['deliver', () => steps.deliver(api())]],
      [10, ['refund', () => steps.refund(api())]],
      [isLeft ? 12 : 4, ['pay out', () => steps.payOut(this.#apis)]],
      [2, ['reserve', () => steps.releaseReserve(api())]],
      [3, ['review', () => steps.review(api())]],
      [isLeft ? 3 : 0, ['expire', () => steps.expire(api())]],
      [3, ['dispute', () => steps.dispute()]],
      [4, ['evidence', () => steps.evidence(api())]],
      [isLeft ? 3 : 0, ['sweep', () => steps.beginSweep(api())]],
      [1, ['retry', () => steps.beginRetry(api())]],
      [8, ['crash', () => this.#crash()]],
      [3, ['jump', () => this.#jump()]],
      [3, ['outage', () => this.#outage()]],
      [3, ['weather', () => this.#turnWeather()]],
      [2, ['back up', () => this.#backUp()]],
      [2, ['go back', () => this.#goBack()]],
      [4, ['look', () => this.#look()]],
      ...this.#stepsOfParts(),
    ]);
  }

  #stepsOfParts(): (readonly [weight: number, act: Act])[] {
    const { parts } = this.#world;
    const api = () => this.#random.pick(this.#apis);
    const log = () => api().log;
    const [steps, erasing] = [this.#steps, this.#erasing];
    const isAsked = parts.pages && !parts.schedule;
    return [
      [parts.http ? 6 : 0, ['rival', () => steps.rival(this.#apis)]],
      [parts.erasure ? 6 : 0, ['erase', () => steps.begin('erase', erasing.erase(log()))]],
      [parts.erasure ? 3 : 0, ['keys', () => steps.begin('keys', erasing.useBackup(log()))]],
      [parts.merchants ? 3 : 0, ['rotate', () => steps.rotateSecret(api())]],
      [parts.merchants ? 2 : 0, ['switch', () => steps.switchShop(api())]],
      [parts.schedule ? 4 : 0, ['night', () => this.#night()]],
      [parts.merchants ? 4 : 0, ['tell again', () => steps.tellAgain(api())]],
      [parts.pages ? 16 : 0, ['buyer at a page', () => this.#pageBuyers.act()]],
      [parts.pages ? 4 : 0, ['give up', () => this.#pageBuyers.cancel(api(), this.#clients)]],
      [parts.pages ? 4 : 0, ['register and crash', () => this.#registerAndCrash()]],
      [isAsked ? 4 : 0, ['events', () => steps.beginEvents(api())]],
    ];
  }

  #turnWeather(): void {
    const some = (most: number) => (this.#random.chance(50) ? this.#random.int(0, most) : 0);
    const log = { append: some(15), read: some(3), store: some(12), deliver: some(12) };
    const [call, webhook] = [some(60), some(60)];
    const { http, merchants } = this.#world.parts;
    const [answer, shop] = [http ? some(30) : 0, merchants ? some(70) : 0];
    this.#world.weather = { ...log, call, webhook, answer, shop };
    for (const provider of this.#providers) provider.turn(this.#world.weather);
  }

  /** The process that a page was asked of dies before the buyer is sent there. */
  async #registerAndCrash(): Promise<void> {
    if (this.#world.parts.http && HttpDoor.left === 0) return;
    const api = this.#random.pick(this.#apis);
    this.#clients.send(api, this.#clients.drawPage());
    await this.#world.projectorClock.pass(this.#random.weighted(waitsBeforeCrash));
    this.#apis.splice(this.#apis.indexOf(api), 1);
    api.kill();
    this.#startApi();
  }

  #resend(): void {
    const keyed = this.#clients.drawResend();
    if (keyed) this.#clients.send(this.#random.pick(this.#apis), keyed);
  }

  #crash(): void {
    const what = this.#random.pick(['api', 'worker', 'worker', 'projector'] as const);
    const at = (processes: readonly unknown[]) => this.#random.int(0, processes.length - 1);
    if (what === 'api' && this.#world.parts.http && HttpDoor.left === 0) return;
    if (what === 'api') {
      for (const gone of this.#apis.splice(at(this.#apis), 1)) gone.kill();
      this.#startApi();
    } else if (what === 'projector') {
      for (const gone of this.#projectors.splice(at(this.#projectors), 1)) gone.kill();
      this.#startProjector();
    } else {
      // Now and then the old one lives on, and finds out that there is another.
      if (this.#random.chance(80)) for (const gone of this.#workers.splice(0)) gone.kill();
      this.#startWorker();
    }
  }

  #jump(): void {
    const to = this.#random.int(-clockOffMsMax, clockOffMsMax);
    this.#world.clock.jump(to - this.#clockOffMs);
    this.#clockOffMs = to;
  }

  #outage(): void {
    const provider = this.#random.pick(this.#providers);
    provider.isDown = !provider.isDown;
    this.#world.trace.say(`${provider.name} is ${provider.isDown ? 'down' : 'up'}`);
  }

  #backUp(): void {
    this.#backup = this.#world.databases.wallets.backup();
  }

  /** The wallets fail over to a copy that has not seen the last batches. */
  #goBack(): void {
    if (this.#backup) this.#world.databases.wallets.restore(this.#backup);
  }

  /** Nobody works until the next day, or a later one, has begun: then there is something to make up for. */
  async #night(): Promise<void> {
    const { clock, projectorClock } = this.#world;
    for (const gone of [...this.#workers.splice(0), ...this.#projectors.splice(0)]) gone.kill();
    const days = this.#random.weighted([
      [4, 1],
      [1, 2],
    ] as const);
    const midnight = (Math.floor(clock.now() / dayMs) + days) * dayMs;
    await projectorClock.pass(midnight - clock.now() + this.#random.int(-5, 60) * 60_000);
    this.#startProjector();
    this.#startProjector();
    this.#startWorker();
    await projectorClock.pass(60_000);
  }

  async #look(): Promise<void> {
    const [projector] = this.#projectors;
    if (projector) await checkReadModels(this.#world, projector.directory);
  }

  async #receive(psp: string, delivery: WebhookDelivery): Promise<boolean> {
    const api = this.#random.pick(this.#apis);
    try {
      return api.door
        ? await this.#webhookLine.deliver(api, delivery)
        : await api.webhook(psp, delivery);
    } catch (error) {
      this.#world.trace.say(`${api.name} webhook broke: ${String(error)}`);
      return false;
    }
  }

  get #outside(): Outside {
    return { providers: this.#providers, shop: this.#shop };
  }

  #startApi(): void {
    this.#started += 1;
    const api = startApi(this.#world, `api-${this.#started}`, this.#outside);
    this.#apis.push(api);
    if (api.door) this.#doors.push(api.door);
  }

  #startWorker(): void {
    this.#started += 1;
    this.#workers.push(startWorker(this.#world, `worker-${this.#started}`, this.#outside));
  }

  #startProjector(): void {
    this.#started += 1;
    this.#projectors.push(startProjector(this.#world, `projector-${this.#started}`));
  }

  async #registerSellers(): Promise<void> {
    const [api] = this.#apis;
    const banks = ['ba_sandbox', 'ba_sandbox_fails_after_paid', 'ba_sandbox_no_account'];
    for (const [index, seller] of sellers.entries()) {
      const fees = { fee_basis_points: 250 * (index + 1), payout_minimum: '1' };
      const made = await api?.payments.putSeller(seller, {
        currencies: currencies.map((currency) => ({ currency, fee_fixed: '10', ...fees })),
        reserve_basis_points: index * 1_000,
        release_after_days: 7,
        payout_schedule: 'manual',
        ...(this.#world.parts.schedule ? onSchedule(index) : {}),
      });
      const bank = await api?.payments.putBank(seller, banks[index] ?? 'ba_sandbox');
      if (made?.kind !== 'changed' || bank?.kind !== 'changed') {
        throw new InvariantError('sellers', `${seller} was not registered`);
      }
    }
  }

  /** The shop wants to be told of everything. */
  async #registerShop(): Promise<void> {
    const [api] = this.#apis;
    const wanted = { url: shopUrl, eventTypes: [everyWebhookType], by: 'eve' };
    const put = await api?.webhooks.put(shopName, wanted);
    if (put?.kind !== 'changed')
      throw new InvariantError('webhooks', 'the shop was not registered');
  }

  #directory(): GenerationDirectory {
    const [projector] = this.#projectors;
    if (!projector) throw new InvariantError('settles', 'no projector runs');
    return projector.directory;
  }

  async #settle(): Promise<void> {
    this.#world.weather = fair;
    this.#world.projectorClock.slowDown();
    for (const provider of this.#providers) {
      provider.isDown = false;
      provider.turn(fair);
    }
    // The last fault: whoever talks to providers is killed in the middle of it.
    for (const gone of this.#workers.splice(0)) gone.kill();
    this.#startWorker();
    const [api] = this.#apis;
    if (!api) throw new InvariantError('settles', 'no process runs');
    const settling = new Settling({
      ...{ world: this.#world, api, directory: () => this.#directory(), clients: this.#clients },
      ...{ ...this.#outside, steps: this.#steps, erasing: this.#erasing },
      pageBuyers: this.#pageBuyers,
      ...{ almanac: new Almanac(this.#world, sellers), night: () => this.#night() },
      notice: () => this.#notice(),
      stop: () => {
        for (const process of [...this.#workers, ...this.#projectors]) process.kill();
      },
    });
    await settling.settle();
    await settling.check();
  }
}
