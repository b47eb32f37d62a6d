import type { NightReport, ProviderNight } from './night.ts';
import { type ReconciliationReport, reportCsv, reportHtml } from './report.ts';

/** A night as one JSON document: amounts are texts. */
export function nightDocument(night: NightReport): object {
  const { kind, date, open, providers, wallets, bank, bankEarlier, differing } = night;
  return {
    ...{ date, complete: kind === 'done', open, providers: providers.map(providerDocument) },
    wallets: walletsDocument(wallets),
    wallet_breaks: differing.breaks,
    bank: bank ?? null,
    bank_earlier: bankEarlier,
  };
}

function providerDocument(one: ProviderNight): object {
  if (one.kind !== 'compared') {
    const { isCompared: is_compared, ...rest } = one;
    return { ...rest, is_compared };
  }
  const { psp, kind, run, report } = one;
  const { sha256, lines, entries, matched, breaks } = run;
  return { psp, kind, run: { sha256, lines, entries, matched, breaks }, report };
}

function walletsDocument(wallets: NightReport['wallets']): object {
  if (wallets.kind !== 'compared') return wallets;
  const { kind, balances, differencesFound: differences_found, asOf: as_of } = wallets;
  const differences = wallets.differences.map(({ wallet, ledger, ...of }) => {
    return { ...of, wallet: String(wallet), ledger: String(ledger) };
  });
  return { kind, balances, differences_found, as_of, differences };
}

/** All breaks of a night; a spreadsheet opens it. */
export function nightCsv(night: NightReport): string {
  return reportCsv(...reportsOf(night));
}

/** A page that needs nothing else. */
export function nightHtml(night: NightReport): string {
  return reportHtml(night.providers.flatMap(failureOf), ...reportsOf(night));
}

/** The days that a night is about, each with its breaks. */
export function reportsOf({
  providers,
  bank,
  bankEarlier,
  differing,
}: NightReport): readonly ReconciliationReport[] {
  return [
    ...providers.map(({ report }) => report),
    ...bankEarlier,
    ...(bank ? [bank] : []),
    differing,
  ];
}

function failureOf(one: ProviderNight): string[] {
  if (one.kind === 'compared') return [];
  const { psp, isCompared, detail } = one;
  const other = isCompared ? 'another file was compared' : 'no file was compared';
  return [`${psp}: ${other}: ${detail}`];
}
