import { sha256 } from '@annals/core';
import { Random } from '../random.ts';

/** What is in a seed beside the core of it: each takes its time, so no seed has all of it. */
export interface Parts {
  /** Commands come over HTTP, to the real app, and risk is assessed by its reactor. */
  readonly http: boolean;
  /** Buyers are erased. */
  readonly erasure: boolean;
  /** A shop is told by webhooks what happens. */
  readonly merchants: boolean;
  /** Days go by, and what falls due on them is left to the schedule; any webhook of a provider may be lost. */
  readonly schedule: boolean;
  /** Some buyers give their card on a page of the provider; any webhook may be lost. */
  readonly pages: boolean;
  /** Over HTTP some write the number of a card into a text. */
  readonly careless: boolean;
}

/** So many seeds have none of them, in percent. */
const plain = 50;
/** How many of the others have each. */
const percent: { readonly [Part in keyof Parts]: number } = {
  http: 40,
  erasure: 40,
  merchants: 40,
  schedule: 40,
  pages: 40,
  careless: 15,
};

/** Drawn apart from all else, so that a new part leaves the seeds without any as they were. */
export function drawParts(seed: number): Parts {
  // Generators whose seeds are neighbours begin alike.
  const random = new Random(Number.parseInt(sha256(`parts of ${seed}`).slice(0, 7), 16));
  const isPlain = random.chance(plain);
  const has = (part: keyof Parts) => random.chance(percent[part]) && !isPlain;
  const parts = {
    http: has('http'),
    erasure: has('erasure'),
    merchants: has('merchants'),
    schedule: has('schedule'),
    pages: has('pages'),
  };
  return { ...parts, careless: has('careless') && parts.http };
}
