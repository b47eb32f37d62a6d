import { paymentsProjection } from '@annals/payments';
import { reconcileNight, troublesOf } from '@annals/payments/reconciliation';
import { openRisk } from '@annals/payments/risk';
import {
  type ReactorStatus,
  type RunningPayments,
  type RunPaymentsOptions,
  runPayments,
} from '@annals/payments/runtime';
import { httpPost } from '@annals/payments/webhooks-out';
import type { GenerationDirectory, GenerationStatus } from '@annals/projection';
import type { Site } from '../site/open-site.ts';
import { type PaymentsReads, paymentsReads } from './payments-reads.ts';
import type { PaymentsSettings } from './payments-settings.ts';
import { pspRouting } from './psp-routing.ts';
import { placedSettings, sandboxAddress } from './sandbox-address.ts';

export interface SitePaymentsOptions {
  readonly settings: PaymentsSettings;
  /** Of the log of payments. */
  readonly generations: GenerationDirectory;
  /** How every generation of this process stands. */
  readonly status: () => readonly GenerationStatus[];
  readonly signal: AbortSignal;
  readonly onTrouble: (part: string, detail: string) => void;
}

export interface SitePayments {
  status(): readonly ReactorStatus[];
  /** Settles when all has come to rest after the signal was aborted. */
  readonly done: Promise<void>;
}

/** Between two looks at whether the sandbox PSP was started. */
const sandboxLookMs = 1_000;
/** After a start that failed: the log or the stores may be away. */
const restartMs = 2_000;

/**
 * The reactors and the schedule of payments on a site. They run on the thread of the projector: all they do is wait
 * for the log and for providers, and what they decode and decide is little beside the projections.
 */
export function runSitePayments(site: Site, options: SitePaymentsOptions): SitePayments {
  const { signal, onTrouble } = options;
  let running: RunningPayments | undefined;
  const run = async () => {
    while (!signal.aborted) {
      try {
        running = await startWhenPlaced(site, options);
        await running?.done;
      } catch (error) {
        if (!signal.aborted) onTrouble('payments', String(error));
        await site.clock.sleep(restartMs, signal);
      }
    }
  };
  return { status: () => running?.status() ?? [], done: run() };
}

async function startWhenPlaced(
  site: Site,
  options: SitePaymentsOptions,
): Promise<RunningPayments | undefined> {
  const { clock } = site;
  const { signal, generations, settings } = options;
  const { dataFolder } = site.config;
  const place = () => placedSettings(settings, sandboxAddress(dataFolder));
  let placed = place();
  for (; !placed && !signal.aborted; placed = place()) await clock.sleep(sandboxLookMs, signal);
  await generations.ready().catch(() => undefined);
  if (!placed || signal.aborted) return undefined;
  return start(site, placed, options);
}

async function start(
  site: Site,
  settings: PaymentsSettings,
  { generations, status, signal, onTrouble }: SitePaymentsOptions,
): Promise<RunningPayments> {
  const { cipher, clock } = site;
  const log = site.logOf('payments');
  const means = { log, cipher, clock, signal };
  const tell = (detail: string) => onTrouble('payments-risk', detail);
  const screen = await openRisk({ ...means, rules: settings.risk, onTrouble: tell });
  const reads = await paymentsReads(site, generations);
  const routing = pspRouting(settings, clock);
  const psps = settings.psps.flatMap(({ name }) => routing.psp(name) ?? []);
  const night = { log, cipher, clock, psps, movements: reads.movements, books: reads.books };
  const run: RunPaymentsOptions = {
    ...{ ...means, screen, ledger: reads.ledger, wallets: reads.wallets, read: reads.payments },
    ...{ routing, reserveDays: settings.reserveDays, releaseAbove: settings.releaseAbove },
    ...(settings.risk.card ? { cards: settings.risk.card } : {}),
    webhooks: { deliveries: reads.deliveries, post: httpPost(settings) },
    reconcileNight: async (day, ofStep) => {
      const report = await reconcileNight(night, day, ofStep);
      if (report.kind === 'refused') {
        onTrouble('reconcile', `${day}: ${report.reason}: ${report.detail}`);
        return 'later';
      }
      for (const trouble of troublesOf(report)) onTrouble('reconcile', trouble);
      return report.kind;
    },
    mayWork: () => isBuilt(reads) && isOurs(status()),
    random: Math.random,
    onTrouble,
  };
  const running = runPayments(run);
  return { ...running, done: running.done.finally(() => reads.close()) };
}

function isBuilt(reads: PaymentsReads): boolean {
  try {
    return reads.state() !== 'building';
  } catch {
    // The files cannot be looked at now.
    return false;
  }
}

/**
 * Whether this process keeps the lists of payments, and so does their work, too. Where nobody can, because they are
 * lost, each may: that nothing is done twice does not rest on it.
 */
function isOurs(generations: readonly GenerationStatus[]): boolean {
  const live = generations.find(
    ({ projection, isLive }) => projection === paymentsProjection.name && isLive,
  );
  if (live?.kind !== 'followed') return live !== undefined;
  return live.shares.every(({ state }) => state !== 'starting' && state !== 'waiting');
}
