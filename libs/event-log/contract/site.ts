import { onTestFinished, test } from 'vitest';
import type { EventLog } from '../port.ts';

/** One place that holds the data of one log: a folder, a topic, a database. */
export interface LogSite {
  /**
   * Opens the log of this site. Called again, also while an earlier one is still open, it gives an
   * independent instance on the same data, as another process would have.
   */
  open(): Promise<EventLog>;
  /**
   * How a child process opens this site's log: the file URL of a module that exports
   * `openLog(argument: string): Promise<EventLog>`, and the argument.
   */
  readonly childProcess?: { readonly module: string; readonly argument: string };
  /** Removes the data. All instances are closed by then. */
  dispose(): Promise<void>;
}

/** What an adapter gives to `describeEventLog`. */
export interface LogOpeners {
  /** A new site with an empty log. */
  site(): Promise<LogSite>;
  /** Abilities this adapter lacks, each with the reason that the skipped tests show. */
  readonly without?: { readonly [ability in Ability]?: string };
  /** Random histories the property test tries; 50 unless told. */
  readonly propertyRuns?: number;
  /** Kills of a writing process; 50 unless told. */
  readonly kills?: number;
}

/**
 * `reopen`: data outlives an instance. `instances`: two instances at a time on the same data.
 * `processes`: a child process can open the log (`LogSite.childProcess`).
 */
export type Ability = 'reopen' | 'instances' | 'processes';

export interface Opened {
  readonly site: LogSite;
  readonly log: EventLog;
}

/** A fresh log, closed and disposed of when the running test has finished. */
export async function openFresh(openers: LogOpeners): Promise<Opened> {
  const site = await openers.site();
  onTestFinished(() => site.dispose());
  return { site, log: await openAgain(site) };
}

/** One more instance on `site`, closed when the running test has finished. */
export async function openAgain(site: LogSite): Promise<EventLog> {
  const log = await site.open();
  onTestFinished(() => log.close());
  return log;
}

/** A test that is skipped by name, with the reason, where the adapter lacks the ability. */
export function testWith(
  openers: LogOpeners,
  ability: Ability,
  name: string,
  run: () => Promise<void>,
  timeoutMs = 30_000,
): void {
  const reason = openers.without?.[ability];
  if (reason === undefined) test(name, run, timeoutMs);
  else test.skip(`${name} (skipped: ${reason})`, run);
}
