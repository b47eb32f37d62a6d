import { kafkaLimits } from '@annals/event-log-kafka';
import type { MessageLine, Produced } from '@annals/event-log-kafka/engine';
import type { TwinMessage } from './topic-twin.ts';
import type { World } from './world.ts';

type Messages = Parameters<MessageLine['send']>[0];

const requestMsMax = 8;
const slowMsMax = 2_500;
/** How long a request may be on its way that its sender has given up. */
const lateMsMax = 90_000;

/** What becomes of the part of a request that goes to one partition. */
type Fate =
  | 'stored'
  | 'stored-unanswered'
  | 'lost'
  | 'late'
  | 'twice'
  | 'twice-unanswered'
  | 'refused'
  // An attempt before the one that was refused was taken, and its answer lost.
  | 'stored-refused';

/** The way to the broker. What was sent goes on when its sender has died. */
export class TwinLine implements MessageLine {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async send(messages: Messages): Promise<Produced> {
    const { random, clock, weather } = this.#world;
    if (random.chance(weather.away)) {
      await clock.sleep(random.int(1, kafkaLimits.connectMsMax));
      return 'not-sent';
    }
    await this.#delay();
    let produced: Produced = 'acknowledged';
    let refused = false;
    for (const [partition, part] of partsOf(messages)) {
      const fate = this.#drawFate();
      if (fate !== 'stored') this.#world.trace.say(`  partition ${partition}: ${fate}`);
      if (fate !== 'lost' && fate !== 'late' && fate !== 'refused')
        this.#world.topic.append(partition, part);
      if (fate === 'late' || fate.startsWith('twice')) void this.#landLater(partition, part);
      if (fate.endsWith('refused')) refused = true;
      else if (fate !== 'stored' && fate !== 'twice') produced = 'in-doubt';
    }
    // The client tells of one error alone, also where other parts are in doubt.
    if (refused) {
      await this.#delay();
      return { kind: 'refused', isTooLarge: random.chance(50), reason: 'the broker refuses it' };
    }
    if (produced === 'in-doubt' && random.chance(40)) await clock.sleep(kafkaLimits.produceMsMax);
    else await this.#delay();
    return produced;
  }

  async close(): Promise<void> {
    // What was sent is on its way.
  }

  #drawFate(): Fate {
    const { random, weather } = this.#world;
    if (!random.chance(weather.produce)) return 'stored';
    return random.weighted<Fate>([
      [2, 'stored-unanswered'],
      [2, 'lost'],
      [4, 'late'],
      [2, 'twice'],
      [6, 'twice-unanswered'],
      [1, 'refused'],
      [1, 'stored-refused'],
    ]);
  }

  async #landLater(partition: number, messages: readonly TwinMessage[]): Promise<void> {
    const { random, clock, topic, trace } = this.#world;
    // Often right behind the next record, which may be the one that voids it.
    if (random.chance(40)) await topic.changed();
    else await clock.sleep(this.#lateMs());
    trace.say(`  partition ${partition}: ${messages.length} come late`);
    topic.append(partition, messages);
  }

  /** Mostly soon: while whoever sent it is still in doubt, or has just been answered. */
  #lateMs(): number {
    const { random } = this.#world;
    return random.int(1, random.pick([20, 200, slowMsMax, lateMsMax]));
  }

  async #delay(): Promise<void> {
    const { random, clock, weather } = this.#world;
    await clock.sleep(random.int(1, random.chance(weather.produce) ? slowMsMax : requestMsMax));
  }
}

function partsOf(messages: Messages): Map<number, TwinMessage[]> {
  const parts = new Map<number, TwinMessage[]>();
  for (const { partition = 0, key, value } of messages) {
    const part = parts.get(partition) ?? [];
    parts.set(partition, part);
    part.push({ key: bytesOf(key), value: bytesOf(value) });
  }
  return parts;
}

function bytesOf(text: Buffer | string | null | undefined): Buffer | null {
  return typeof text === 'string' ? Buffer.from(text) : (text ?? null);
}
