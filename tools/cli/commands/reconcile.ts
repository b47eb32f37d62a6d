import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { configFrom, fileProblem } from '@annals/core';
import {
  type BreakClass,
  breakClasses,
  type ComparedFile,
  compareSettlement,
  compareStatement,
  FileText,
  type NightMeans,
  type NightReport,
  nightCsv,
  nightDocument,
  nightHtml,
  nightReport,
  type ProviderNight,
  ReconciliationFileError,
  type ReconciliationReport,
  reconcileNight,
  reportsOf,
  type StatementFormat,
  statementFormats,
} from '@annals/payments/reconciliation';
import { generationDirectory } from '@annals/projection';
import {
  checkPaymentsSettings,
  type PaymentsSettings,
  paymentsFields,
  paymentsReads,
  paymentsSettingsOf,
  placedSettings,
  pspRouting,
  type Site,
  sandboxAddress,
} from '@annals/projector';
import { type Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { type CommandContext, withSite } from '../context.ts';
import { withExamples } from '../examples.ts';
import { CommandError, type ExitCode, exitCodes } from '../exit-codes.ts';
import { write } from '../io.ts';
import { plural } from '../output.ts';
import { printable } from '../printable.ts';
import type { Act } from '../program.ts';
import { progress } from '../progress.ts';

export function addReconcile(annals: Command, act: Act): void {
  withExamples(
    annals
      .command('reconcile')
      .description(
        'compares a day of payments with what providers and the bank say: settlement files with what has ' +
          'moved, wallets with the ledger, payouts with the bank statement. Corrects what is safe and queues ' +
          'the rest. It needs a running projector; the same files again change nothing',
      )
      .requiredOption('--date <day>', 'the day, UTC, as in 2026-11-24; it must be over', dayText)
      .option('--file <file>', 'a settlement file of that day, instead of asking the providers')
      .option('--psp <name>', 'the provider that --file is of (default: the first configured)')
      .option('--bank <file>', 'the bank statement of that day')
      .option(
        '--bank-format <format>',
        `${statementFormats.join(', ')} (default: by the file's name)`,
      )
      .option('--csv', 'all breaks as CSV, amounts in minor units')
      .option('--html', 'the report as a page')
      .action(act(reconcileDate)),
    ['annals reconcile --date 2026-11-24', 'asks every provider for its settlement file'],
    [
      'annals reconcile --date 2026-11-24 --file day.csv --csv',
      'a file at hand, for a spreadsheet',
    ],
    ['annals reconcile --date 2026-11-24 --bank statement.xml', 'with a camt.053 bank statement'],
  );
}

function dayText(text: string): string {
  const at = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  if (!Number.isNaN(at) && new Date(at).toISOString().startsWith(text)) return text;
  throw new InvalidArgumentError('A day is written YYYY-MM-DD.');
}

interface Flags {
  readonly date: string;
  readonly file?: string;
  readonly psp?: string;
  readonly bank?: string;
  readonly bankFormat?: string;
  readonly csv?: boolean;
  readonly html?: boolean;
}

async function reconcileDate(context: CommandContext, flags: Flags): Promise<ExitCode> {
  if ([flags.csv, flags.html, context.json].filter(Boolean).length > 1) {
    throw new CommandError(exitCodes.usage, 'usage', 'choose one of --json, --csv and --html');
  }
  const format = flags.bank === undefined ? undefined : formatOf(flags.bank, flags.bankFormat);
  const settings = settingsOf(context);
  return withSite(context, async (site) => {
    const night = await withMeans(context, site, settings, async (means) => {
      if (flags.bank !== undefined && format) {
        const { date, bank } = flags;
        await comparing(context, bank, (file) => compareStatement(means, { date, format, file }));
      }
      return compareNight(context, means, settings, flags);
    });
    return show(context, night, flags);
  });
}

function formatOf(path: string, given: string | undefined): StatementFormat {
  const format = given ?? (/\.xml$/i.test(path) ? 'camt053' : 'csv');
  const known = statementFormats.find((one) => one === format);
  if (known) return known;
  const message = `--bank-format is one of ${statementFormats.join(', ')}`;
  throw new CommandError(exitCodes.usage, 'usage', message);
}

function settingsOf({ io }: CommandContext): PaymentsSettings | undefined {
  const schema = z.object(paymentsFields).superRefine(checkPaymentsSettings);
  const given = Object.keys(paymentsFields).flatMap((name) =>
    io.env[name] ? [[name, io.env[name]] as const] : [],
  );
  const configured = configFrom(schema, Object.fromEntries(given));
  if (configured.kind === 'configured') return paymentsSettingsOf(configured.value);
  const problems = configured.problems.map(printable).join('; ');
  throw new CommandError(exitCodes.usage, 'configuration', problems);
}

async function withMeans<T>(
  { io }: CommandContext,
  site: Site,
  settings: PaymentsSettings | undefined,
  work: (means: NightMeans) => Promise<T>,
): Promise<T> {
  const { cipher, clock } = site;
  const log = site.logOf('payments');
  const stop = new AbortController();
  const signal = AbortSignal.any([io.signal, stop.signal]);
  const directory = generationDirectory(log, { signal, clock });
  try {
    await directory.ready();
    const reads = await paymentsReads(site, directory);
    try {
      const { movements, books } = reads;
      const psps = settings ? providersOf(site, settings) : [];
      return await work({ log, cipher, clock, movements, books, psps });
    } finally {
      reads.close();
    }
  } finally {
    stop.abort();
  }
}

/** None where the sandbox was never started: then only files at hand can be compared. */
function providersOf(site: Site, settings: PaymentsSettings): NightMeans['psps'] {
  const placed = placedSettings(settings, sandboxAddress(site.config.dataFolder));
  if (!placed) return [];
  const routing = pspRouting(placed, site.clock);
  return placed.psps.flatMap(({ name }) => routing.psp(name) ?? []);
}

async function compareNight(
  context: CommandContext,
  means: NightMeans,
  settings: PaymentsSettings | undefined,
  { date, file: path, psp: named, bank }: Flags,
): Promise<NightReport> {
  const { signal } = context.io;
  if (path === undefined) {
    if (means.psps.length === 0 && bank === undefined) {
      const message = 'no payment provider is configured: give its settlement file with --file';
      throw new CommandError(exitCodes.usage, 'no-provider', message);
    }
    const night = await reconcileNight(means, date, signal);
    if (night.kind === 'refused') throw refusedBy(night);
    return night;
  }
  const psp = named ?? settings?.psps[0]?.name ?? 'stripe';
  const compared = await comparing(context, path, (file) =>
    compareSettlement(means, { psp, date, file }),
  );
  return nightReport(means, date, [{ psp, ...compared }], signal);
}

type Compared = Extract<ComparedFile, { readonly kind: 'compared' }>;

/** Compares a file of this machine. Throws CommandError, which names the file, for one that cannot be used. */
async function comparing(
  context: CommandContext,
  path: string,
  compare: (file: FileText) => Promise<ComparedFile>,
): Promise<Compared> {
  try {
    const { size } = await stat(path);
    const shown = progress(context.io, 'reconcile', { unit: 'bytes', quiet: context.json });
    try {
      const compared = await compare(new FileText(readAll(path, size, shown, context.io.signal)));
      if (compared.kind === 'refused') throw refusedBy(compared);
      return compared;
    } finally {
      shown.stop();
    }
  } catch (error) {
    if (error instanceof ReconciliationFileError) {
      throw new CommandError(exitCodes.usage, error.code, `${path}: ${error.message}`);
    }
    const problem = fileProblem(error);
    if (problem) throw new CommandError(exitCodes.usage, 'file-system', problem.sentence);
    throw error;
  }
}

async function* readAll(
  path: string,
  size: number,
  shown: ReturnType<typeof progress>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of createReadStream(path, { signal })) {
    bytes += (chunk as Buffer).byteLength;
    shown.update(bytes, size);
    yield chunk as Buffer;
  }
}

function refusedBy({ reason, detail }: Extract<ComparedFile, { readonly kind: 'refused' }>) {
  const isAway = reason === 'read-model-late' || reason === 'read-model-lost';
  return new CommandError(isAway ? exitCodes.unavailable : exitCodes.refused, reason, detail);
}

async function show(
  context: CommandContext,
  night: NightReport,
  { csv, html }: Flags,
): Promise<ExitCode> {
  const { io, output } = context;
  if (csv) await write(io.out, nightCsv(night));
  else if (html) await write(io.out, nightHtml(night));
  else await output.result(nightDocument(night), () => shownNight(context, night));
  if (night.open > 0 || isDifferent(night)) return exitCodes.different;
  return night.kind === 'later' ? exitCodes.unavailable : exitCodes.ok;
}

function isDifferent({ providers, wallets }: NightReport): boolean {
  const differs = wallets.kind === 'compared' && wallets.differencesFound > 0;
  return differs || providers.some(({ kind }) => kind === 'bad-file');
}

function shownNight({ output }: CommandContext, night: NightReport): string {
  const { date, providers, wallets, bank, bankEarlier, open } = night;
  const breaks = reportsOf(night).flatMap((report) =>
    report.breaks.map((one) => [
      report.psp,
      one.class,
      one.state,
      printable(one.line === undefined ? one.key : `line ${one.line}`),
      printable(one.detail ?? ''),
    ]),
  );
  return [
    ...providers.map((one) => providerLine(one, date)),
    wallets.kind === 'compared'
      ? `wallets: ${plural(wallets.balances, 'balance')} compared with the ledger, ${plural(wallets.differencesFound, 'difference')}`
      : `wallets: not compared (${wallets.kind})`,
    bank ? `bank: ${countsOf(bank)}` : 'bank: no statement of this day',
    ...bankEarlier.map((day) => `bank, ${day.date}: ${countsOf(day)}`),
    ...(breaks.length === 0
      ? []
      : [output.table(['of', 'break', 'state', 'key', 'detail'], breaks)]),
    open === 0 ? 'nothing waits for anybody' : `${plural(open, 'break')} to be looked at`,
  ].join('\n');
}

function providerLine(one: ProviderNight, date: string): string {
  if (one.kind !== 'compared') return printable(`${one.psp}: ${one.kind}: ${one.detail}`);
  const { lines, entries, matched } = one.run;
  const said = `${plural(lines, 'line')}, ${plural(entries, 'entry', 'entries')}, ${matched} agree`;
  return `${one.psp}, ${date}: ${said}; ${countsOf(one.report)}`;
}

function countsOf({ counts }: ReconciliationReport): string {
  const found = breakClasses.filter((name: BreakClass) => counts[name] > 0);
  return found.length === 0
    ? 'no break'
    : found.map((name) => `${name} ${counts[name]}`).join(', ');
}
