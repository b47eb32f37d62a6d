import { within } from '@annals/core/within';
import { EventLogError, type Revision } from '@annals/event-log/port';
import {
  AccessDeniedError,
  type EventStoreDBClient,
  jsonEvent,
  StreamNotFoundError,
} from '@eventstore/db-client';
import { z } from 'zod';
import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';
import type { Report } from './followed-index.ts';
import { areMixed } from './own-stream.ts';
import { sendAppend } from './server-append.ts';
import { readWithin } from './server-connection.ts';

/**
 * The metadata of a stream without events: no log takes it for a stream of its own, whatever its prefix, and whoever may
 * write streams may write it.
 */
const recordStream = 'annals.logs';
const metadataStream = `$$${recordStream}`;
/** What else is in the metadata stays: an access list, say. */
const recordFormat = z.looseObject({ annalsPrefixes: z.array(z.string()).default([]) });

interface Found {
  readonly revision: Revision | 'no-stream';
  readonly record: z.infer<typeof recordFormat>;
}

export interface PrefixRecordOptions {
  readonly client: EventStoreDBClient;
  readonly prefix: string;
  readonly onReport: (report: Report) => void;
}

/**
 * The record on a server of the prefixes that logs write under. Streams of logs whose prefixes begin alike may be taken for
 * one another's: the first such log that writes stays, and others are refused.
 */
export class PrefixRecord {
  readonly #options: PrefixRecordOptions;
  #claim: Promise<boolean> | undefined;
  #wantedUntil = Number.NEGATIVE_INFINITY;

  constructor(options: PrefixRecordOptions) {
    this.#options = options;
  }

  /** Throws EventLogError `refused` where another log has a prefix that ours cannot be told from. */
  async check(): Promise<void> {
    await this.#unlessDenied(async () => {
      this.#mustBeApart((await this.#read(limits.callMsMax)).record.annalsPrefixes);
      return true;
    });
  }

  /**
   * Whether our prefix came into the record in time: before anything is written, and not as a log is opened, so that a name
   * that was mistyped once keeps nobody away. Throws EventLogError `refused`.
   */
  claim(msMax: number): Promise<boolean> {
    this.#wantedUntil = Math.max(this.#wantedUntil, performance.now() + msMax);
    this.#claim ??= this.#begun();
    return within(this.#claim, msMax, () => false);
  }

  async #begun(): Promise<boolean> {
    try {
      return await this.#unlessDenied(() => this.#enter());
    } catch (error) {
      this.#claim = undefined;
      throw error;
    }
  }

  /** Goes on as long as somebody waits for it, whoever began it. */
  async #enter(): Promise<boolean> {
    do {
      const msLeft = Math.max(this.#wantedUntil - performance.now(), 0);
      try {
        if (await this.#tryEnter(Math.min(msLeft, limits.callMsMax))) return true;
      } catch (error) {
        if (!isUnreachable(error)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, limits.pauseMsMin));
    } while (performance.now() < this.#wantedUntil);
    // Who comes from here on begins anew.
    this.#claim = undefined;
    return false;
  }

  /** Whether our prefix is in the record. When it is not sure, the next look tells. */
  async #tryEnter(msMax: number): Promise<boolean> {
    const { client, prefix } = this.#options;
    const { revision, record } = await this.#read(msMax);
    const { annalsPrefixes } = record;
    if (annalsPrefixes.includes(prefix)) return true;
    this.#mustBeApart(annalsPrefixes);
    const data = { ...record, annalsPrefixes: [...annalsPrefixes, prefix].sort() };
    const event = jsonEvent({ type: '$metadata', data });
    const sent = await sendAppend(client, metadataStream, [event], revision, msMax);
    if (sent.kind !== 'too-large') return sent.kind === 'stored';
    throw new EventLogError('io', `the metadata of ${recordStream} take no more logs`);
  }

  #mustBeApart(prefixes: readonly string[]): void {
    const { prefix } = this.#options;
    const other = prefixes.find((one) => areMixed(one, prefix));
    if (other === undefined || prefixes.includes(prefix)) return;
    const better = `${prefix.replace(/[^a-zA-Z0-9]+/g, '_') || 'annals'}.`;
    throw new EventLogError(
      'refused',
      `streams of this log, whose prefix is "${prefix}", cannot be told from those of another log on this server, whose ` +
        `prefix is "${other}": give this one a prefix of its own, "${better}", say; what it has already is brought there by ` +
        'annals log copy',
    );
  }

  async #read(msMax: number): Promise<Found> {
    const last = { direction: 'backwards', fromRevision: 'end', maxCount: 1 } as const;
    try {
      const [found] = await readWithin(
        this.#options.client.readStream(metadataStream, last),
        msMax,
      );
      const { revision = 0n, data } = found?.event ?? {};
      const record = recordFormat.safeParse(data);
      if (record.success) return { revision: Number(revision), record: record.data };
    } catch (error) {
      if (error instanceof StreamNotFoundError) {
        return { revision: 'no-stream', record: { annalsPrefixes: [] } };
      }
      if (error instanceof AccessDeniedError) throw error;
      const message = 'the server does not tell which logs it holds';
      throw new EventLogError('unreachable', message, { cause: error });
    }
    const message = `the metadata of ${recordStream} do not say which logs the server holds`;
    throw new EventLogError('corrupt', message);
  }

  /** Who may not look at the record goes on as logs did before there was one. */
  async #unlessDenied(work: () => Promise<boolean>): Promise<boolean> {
    try {
      return await work();
    } catch (error) {
      if (!isDenied(error)) throw error;
      const message =
        `the server does not let this user read and write the metadata of ${recordStream}: nothing keeps logs apart there whose prefixes ` +
        'begin alike';
      this.#options.onReport({ level: 'warn', message });
      return true;
    }
  }
}

function isDenied(error: unknown): boolean {
  return (
    error instanceof AccessDeniedError ||
    (error instanceof Error && error.cause instanceof AccessDeniedError)
  );
}

function isUnreachable(error: unknown): boolean {
  return error instanceof EventLogError && error.code === 'unreachable';
}
