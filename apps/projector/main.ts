import { hostname } from 'node:os';
import { configFrom, newId } from '@annals/core';
import { z } from 'zod';
import {
  checkPaymentsSettings,
  paymentsFields,
  paymentsSettingsOf,
  shownPsps,
} from './payments/payments-settings.ts';
import { placedSettings, sandboxAddress } from './payments/sandbox-address.ts';
import { runSiteProjector } from './run-site-projector.ts';
import { catchUpLines } from './site/catch-up-lines.ts';
import { maskedUrl } from './site/masked-url.ts';
import {
  checkSiteSettings,
  type SiteConfig,
  shownSite,
  siteConfigOf,
  siteFields,
} from './site/site-config.ts';

/** Where its log is, for people. */
function shownLog({ log }: SiteConfig): string {
  return log.kind === 'sqlite' ? log.folder : maskedUrl(log.url);
}

/**
 * A process of its own that keeps the read models of one site up to date. Exit codes: 0 stopped,
 * 1 could not go on, 2 the configuration is wrong.
 */
const schema = z
  .object({ ...siteFields, ...paymentsFields })
  .superRefine(checkSiteSettings)
  .superRefine(checkPaymentsSettings);
const configured = configFrom(schema, process.env);
if (configured.kind === 'invalid') {
  process.stderr.write('annals: the configuration is wrong\n');
  for (const problem of configured.problems) process.stderr.write(`  ${problem}\n`);
  process.exit(2);
}
const site = siteConfigOf(configured.value);
const payments = paymentsSettingsOf(configured.value);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
const say = (line: string) => process.stdout.write(`${line}\n`);

try {
  for (const [part, place] of [...shownSite(site), ...shownPsps(payments)]) {
    say(`  ${part}: ${place}`);
  }
  if (payments && !placedSettings(payments, sandboxAddress(site.dataFolder))) {
    say('  payments: wait for npm start to start the sandbox PSP, or for ANNALS_PSP_URL');
  }
  const projector = await runSiteProjector({
    site,
    payments,
    // One that is mistyped would be made, and followed for ever in vain.
    mustExist: true,
    holder: `${hostname()}/${process.pid}/${newId()}`,
    signal: stop.signal,
    onProgress: catchUpLines(say),
    onTrouble: (projection, detail) =>
      process.stderr.write(`${projection || 'projector'}: ${detail}\n`),
  });
  say(`following the log in ${shownLog(site)}`);
  await projector.done;
  // Connections that are kept open to providers would hold the process for as long as they last.
  process.exit();
} catch (error) {
  process.stderr.write(`annals: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
