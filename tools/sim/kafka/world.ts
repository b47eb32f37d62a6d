import type { VirtualClock } from '@annals/projection/testing';
import type { Random } from '../random.ts';
import type { Trace } from '../trace.ts';
import type { TopicTwin } from './topic-twin.ts';

/** How often things go wrong, in percent. */
export interface Weather {
  /** Parts of requests that are lost, late, doubled or unanswered. */
  readonly produce: number;
  /** Requests for which no broker is found. */
  readonly away: number;
  /** Fetches that are slow, come again, or begin at another place. */
  readonly feed: number;
  /** Steps of a replica within which its process dies, in a thousand. */
  readonly crash: number;
  /** Commits of a replica that find the disk full, in a hundred. */
  readonly disk: number;
}

export const fair: Weather = { produce: 0, away: 0, feed: 0, crash: 0, disk: 0 };

/** What outlives every process. */
export interface World {
  readonly random: Random;
  readonly clock: VirtualClock;
  readonly trace: Trace;
  readonly topic: TopicTwin;
  /** Where replicas are kept. */
  readonly folder: string;
  weather: Weather;
}
