import type { Clock } from '@annals/core';
import { type EventLog, EventLogError } from '@annals/event-log';
import { DigestKeeper, digestKeyOf } from '@annals/event-log/digest';
import type { ReactorStatus } from '@annals/payments/runtime';
import {
  type GenerationDirectory,
  type GenerationStatus,
  generationDirectory,
  type Projection,
  runProjector,
} from '@annals/projection';
import { removeAbandonedScratch } from '@annals/store-sqlite';
import { archiveClosed } from './archive-closed.ts';
import type { PaymentsSettings } from './payments/payments-settings.ts';
import { runSitePayments } from './payments/run-site-payments.ts';
import { purgeErased } from './purge-erased.ts';
import { PurgeNotes } from './purge-notes.ts';
import { isArchive, productOf, projectionsOf } from './registry.ts';
import { dataLayout } from './site/data-layout.ts';
import { openSite, type Site, type SiteOptions } from './site/open-site.ts';
import type { DigestSettings, SiteConfig } from './site/site-config.ts';

export interface SiteProjectorOptions extends SiteOptions {
  readonly site: SiteConfig;
  /** Without them nothing is asked of a payment provider, and nothing falls due. */
  readonly payments?: PaymentsSettings | undefined;
  /** Names this process in leases. */
  readonly holder: string;
  readonly signal: AbortSignal;
  readonly onTrouble: (projection: string, detail: string) => void;
  /** Between two looks for closed periods to archive; a minute unless told. */
  readonly archiveEveryMs?: number;
}

export interface SiteProjector {
  status(): readonly GenerationStatus[];
  reactors(): readonly ReactorStatus[];
  /** Settles when all has come to rest: after the signal was aborted, or with what nobody but an operator can mend. */
  readonly done: Promise<void>;
}

/** After a failure, until the next look. */
const digestRetryMs = 5_000;

/** Codes of stores that must not be written to: trying again would find the same. */
const fatalCodes: ReadonlySet<unknown> = new Set(['foreign-keys', 'evicts']);

const lastingCodes: ReadonlySet<unknown> = new Set(['corrupt', 'newer-format']);

/** A log that is not what it was, or that only a newer program can read: the next try would find the same. */
function isLasting(error: unknown): error is EventLogError {
  return error instanceof EventLogError && lastingCodes.has(error.code);
}

/** Follows every projection of a site; closes all when the signal is aborted. */
export async function runSiteProjector(options: SiteProjectorOptions): Promise<SiteProjector> {
  const { onTrouble } = options;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  let fault: Error | undefined;
  const endWith = (error: Error) => {
    fault ??= error;
    stop.abort();
  };
  const onError = (error: unknown) => {
    if (error instanceof Error && 'code' in error && fatalCodes.has(error.code)) endWith(error);
  };
  const onFailed = (error: Error) => {
    options.onFailed?.(error);
    endWith(error);
  };
  const site = await openSite(options.site, {
    onReport: (level, message) => level !== 'info' && onTrouble('', message),
    ...options,
    onFailed,
  }).catch((error: unknown) => {
    // A log that failed before is found so by the next one that opens it.
    if (isLasting(error)) onFailed(error);
    throw error;
  });
  const { scratch, purgeNotes } = dataLayout(options.site.dataFolder);
  const notes = new PurgeNotes(purgeNotes);
  const kept = projectionsOf(options.site);
  const byLog = Map.groupBy(kept, (projection) => site.logOf(productOf(projection)));
  const running = [...byLog].map(([log, own]) =>
    followLog(site, log, own, { ...options, signal, notes, scratch, onError }),
  );
  const status = () => running.flatMap((one) => one.status());
  const paymentsLog = site.logOf('payments');
  const generations = running.find((one) => one.log === paymentsLog)?.directory;
  const payments =
    options.payments && generations
      ? runSitePayments(site, {
          ...{ settings: options.payments, generations, status, signal, onTrouble },
        })
      : undefined;
  return {
    status,
    reactors: () => payments?.status() ?? [],
    done: Promise.all([...running.map((one) => one.done), payments?.done])
      .finally(() => site.close())
      .then(() => {
        if (fault) throw fault;
      }),
  };
}

interface FollowedLog {
  readonly log: EventLog;
  readonly directory: GenerationDirectory;
  status(): readonly GenerationStatus[];
  readonly done: Promise<void>;
}

/** Follows the projections of one log, and purges what they hold of people whom that log says are erased. */
function followLog(
  { cipher, clock, storeFor }: Site,
  log: EventLog,
  own: readonly Projection[],
  options: SiteProjectorOptions & {
    readonly notes: PurgeNotes;
    readonly scratch: string;
    readonly onError: (error: unknown) => void;
  },
): FollowedLog {
  const { signal, holder, notes, scratch, onTrouble, onError } = options;
  const directory = generationDirectory(log, {
    signal,
    clock,
    onError: (error) => onTrouble('', messageOf(error)),
  });
  const means = { log, cipher, projections: own, storeFor, directory, clock, signal };
  const { archiveEveryMs: lookEveryMs } = options;
  const archiving = own.some(isArchive)
    ? archiveClosed({ ...means, onTrouble, ...(lookEveryMs === undefined ? {} : { lookEveryMs }) })
    : undefined;
  const projector = runProjector({
    ...means,
    holder,
    onLeftAlone: onTrouble,
    observe: (observation) => {
      if (observation.kind !== 'trouble') return;
      const { projection, detail } = observation.status;
      onTrouble(projection, detail ?? messageOf(observation.error));
      onError(observation.error);
    },
  });
  const purging = purgeErased({
    ...{ ...means, notes, onTrouble },
    // There is no personal data in an archive, and to purge one is to write the whole of it anew.
    projections: own.filter((projection) => !isArchive(projection)),
    holder: `${holder}/purge`,
    removeAbandoned: () => removeAbandonedScratch(scratch),
  });
  const { digests } = options.site;
  const signing = digests ? signLog({ log, clock, signal, onTrouble, digests }) : undefined;
  return {
    ...{ log, directory },
    status: () => projector.status(),
    done: Promise.all([projector.done, purging, archiving, signing]).then(() => undefined),
  };
}

/** Signs what a log holds for as long as the signal stands; what goes wrong is told, and tried again. */
async function signLog({
  log,
  clock,
  signal,
  onTrouble,
  digests,
}: Pick<SiteProjectorOptions, 'signal' | 'onTrouble'> & {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly digests: DigestSettings;
}): Promise<void> {
  const { key, everyEvents } = digests;
  const keeper = new DigestKeeper({ log, clock, key: digestKeyOf(key), everyEvents });
  while (!signal.aborted) {
    try {
      await keeper.run(signal);
    } catch (error) {
      if (signal.aborted) return;
      onTrouble('', `digests: ${messageOf(error)}`);
      await clock.sleep(digestRetryMs, signal);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
