import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, systemClock } from '@annals/core';
import { isBad } from '@annals/core/url-parts';
import type { EventLog } from '@annals/event-log';
import type { KafkaConnection } from '@annals/event-log-kafka';
import { sqliteEventLog } from '@annals/event-log-sqlite';
import { dataLayout } from './data-layout.ts';
import { HeldReports, type TellReport } from './held-reports.ts';
import {
  type EventStoreDBLogPlace,
  type KafkaLogPlace,
  type LogPlace,
  parseLogUrl,
  type SqliteLogPlace,
} from './log-url.ts';
import { maskedUrl } from './masked-url.ts';
import { withReplica } from './replica-folder.ts';

export interface OpenLogOptions {
  /** Replicas of logs that are elsewhere lie below it. */
  readonly dataFolder: string;
  readonly clock?: Pick<Clock, 'now'>;
  /** Refuses a place that holds no log, instead of making one. */
  readonly mustExist?: boolean;
  /** It is only looked at. On SQLite no file of the log is written, and it must be there. */
  readonly readOnly?: boolean;
  /** While a replica catches up, before the log is open. */
  readonly onProgress?: (progress: LogProgress) => void;
  /** The log has failed, and only an operator can mend that. It throws the error from here on. */
  readonly onFailed?: (error: Error) => void;
  /** What an engine's client has to say: connections that were lost, a replica that is made anew. */
  readonly onReport?: TellReport;
}

export interface LogProgress {
  readonly records: number;
  readonly recordsTotal: number;
}

/** What this process has written, and what waits; only what its engine counts is there. */
export interface LogFigures {
  readonly commits?: number;
  readonly appends?: number;
  readonly events?: number;
  readonly duplicates?: number;
  readonly failures?: number;
  readonly queueDepth?: number;
  readonly queueBytes?: number;
}

export interface OpenedLog {
  readonly log: EventLog;
  readonly place: LogPlace;
  /** Its URL without a password. */
  readonly shown: string;
  figures(): LogFigures;
  /**
   * Resolves when all that the engine had acknowledged before the call, to any process, can be read here. Throws EventLogError
   * (`unreachable`, `catching-up`) when that is not sure: a replica that is cut off looks like a log that is quiet.
   */
  barrier(): Promise<void>;
}

/** There is no log where one was expected. */
export class NoDataFolderError extends Error {
  readonly code = 'no-data-folder';
  constructor(dataFolder: string) {
    super(
      `there is no event log in ${dataFolder}: start the service once, import a log, or say where ` +
        'the data is with --data or ANNALS_DATA',
    );
    this.name = 'NoDataFolderError';
  }
}

/** A text that names no log; the message says what it should be, and holds no password. */
export class BadLogUrlError extends Error {
  readonly code = 'bad-url';
  constructor(url: string, problem: string) {
    super(`${maskedUrl(url)} ${problem}`);
    this.name = 'BadLogUrlError';
  }
}

/**
 * Opens the log at a URL (`sqlite:FOLDER`, `kafka://…`, `esdb://…`) or at a place that was read from one.
 * Throws BadLogUrlError, NoDataFolderError, and the EventLogError of its adapter.
 */
export async function openLogAt(
  where: string | LogPlace,
  options: OpenLogOptions,
): Promise<OpenedLog> {
  const place = typeof where === 'string' ? placeAt(where) : where;
  const held = new HeldReports(options.onReport);
  const opened = await openPlace(place, { ...options, onReport: held.report });
  held.release();
  return opened;
}

function openPlace(place: LogPlace, options: OpenLogOptions): Promise<OpenedLog> {
  switch (place.kind) {
    case 'sqlite':
      return openSqlite(place, options);
    case 'kafka':
      return openKafka(place, options);
    case 'esdb':
      return openEventStoreDB(place, options);
  }
}

function placeAt(url: string): LogPlace {
  const place = parseLogUrl(url);
  if (isBad(place)) throw new BadLogUrlError(url, place.problem);
  return place;
}

async function openSqlite(place: SqliteLogPlace, options: OpenLogOptions): Promise<OpenedLog> {
  const { clock = systemClock, readOnly = false, mustExist = readOnly } = options;
  const folder = dataLayout(place.folder).log;
  if (mustExist && !(await exists(folder))) throw new NoDataFolderError(place.folder);
  if (!mustExist) await mkdir(folder, { recursive: true, mode: 0o700 });
  const log = await sqliteEventLog({ folder, clock, readOnly, create: !mustExist });
  const figures = () => log.statistics();
  // It is read from the very file that others write.
  return { log, place, shown: maskedUrl(place.url), figures, barrier: async () => undefined };
}

/** How to reach the brokers of a URL. */
export function kafkaConnectionTo({ brokers, tls, login }: KafkaLogPlace): KafkaConnection {
  return { brokers, ssl: tls, ...(login ? { sasl: login } : {}) };
}

async function openKafka(place: KafkaLogPlace, options: OpenLogOptions): Promise<OpenedLog> {
  const { dataFolder, clock = systemClock, mustExist = false } = options;
  const { onProgress, onFailed, onReport } = options;
  // Loaded where it is used: nothing else needs a Kafka client.
  const { kafkaEventLog, recordFormats } = await import('@annals/event-log-kafka');
  if (place.format !== undefined && !recordFormats.has(place.format)) {
    const known = [...recordFormats.keys()].join(', ');
    throw new BadLogUrlError(place.url, `has format=${place.format}; this program knows ${known}`);
  }
  const { topic, partitions, replicationFactor, minInSyncReplicas } = place;
  const replicas = join(dataLayout(dataFolder).replicas, `kafka-${topic}`);
  const log = await withReplica(replicas, (folder) =>
    kafkaEventLog({
      connection: kafkaConnectionTo(place),
      ...{ topic, folder, clock, create: !mustExist },
      ...(partitions === undefined ? {} : { partitions }),
      ...(replicationFactor === undefined ? {} : { replicationFactor }),
      ...(minInSyncReplicas === undefined ? {} : { minInSyncReplicas }),
      ...(place.compression === undefined ? {} : { compression: place.compression }),
      ...(place.bodies === undefined ? {} : { bodyRecordsMax: place.bodies }),
      ...(place.served === undefined ? {} : { served: place.served }),
      ...(place.reads === 'linearizable' ? { linearizableReads: true } : {}),
      ...(place.format === undefined ? {} : { writtenFormat: place.format }),
      ...(onProgress ? { onProgress } : {}),
      ...(onFailed ? { onFailed } : {}),
      onReport: ({ level, message }) => onReport?.(level, message),
    }),
  );
  const figures = () => log.statistics();
  return { log, place, shown: maskedUrl(place.url), figures, barrier: () => log.barrier() };
}

async function openEventStoreDB(
  place: EventStoreDBLogPlace,
  options: OpenLogOptions,
): Promise<OpenedLog> {
  const { dataFolder, clock = systemClock, readOnly = false, onReport } = options;
  const { eventstoredbEventLog } = await import('@annals/event-log-eventstoredb');
  const { connection, prefix } = place;
  const name = `esdb-${encodeURIComponent(prefix) || 'all'}`;
  const log = await withReplica(join(dataLayout(dataFolder).replicas, name), (folder) =>
    eventstoredbEventLog({
      ...{ connection, prefix, folder, clock, readOnly },
      onReport: ({ level, message }) => onReport?.(level, message),
    }),
  );
  const figures = () => ({ queueDepth: log.status().queueDepth });
  return { log, place, shown: maskedUrl(place.url), figures, barrier: () => log.barrier() };
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
