import { annalsVersion } from '@annals/core';
import { Command } from 'commander';
import { addDeadLetters } from './commands/dead-letters.ts';
import { addFlips } from './commands/flip.ts';
import { addKeysCommands } from './commands/keys.ts';
import { addLogCommands } from './commands/log.ts';
import { addReactors } from './commands/reactors.ts';
import { addRebuild } from './commands/rebuild.ts';
import { addReconcile } from './commands/reconcile.ts';
import { addStatus } from './commands/status.ts';
import { addSubjects } from './commands/subjects.ts';
import { addVerify } from './commands/verify.ts';
import type { CommandContext } from './context.ts';
import { type ExitCode, exitCodeMeanings, exitCodes } from './exit-codes.ts';
import type { Sink } from './io.ts';

/** Turns the work of a command into what commander calls: it makes the context and keeps the exit code. */
export type Act = <Given extends readonly unknown[]>(
  work: (context: CommandContext, ...given: Given) => Promise<ExitCode>,
) => (...given: readonly unknown[]) => Promise<void>;

/** The whole command line of `annals`. `act` is what runs; the tests of the docs give one that does not. */
export function program(act: Act, io: { readonly out: Sink; readonly err: Sink }): Command {
  const annals = new Command('annals')
    .description(
      'Operates an Annals data folder: replays read models, proves them right, moves the log.',
    )
    .version(annalsVersion, '--version', 'the version of this program')
    .option(
      '--data <folder>',
      'a data folder with all there is (default: where the environment says, else ./data)',
    )
    .option('--log <url>', 'the log, where it is not in that folder (default: ANNALS_LOG)')
    .option('--json', 'results as JSON on stdout, errors as JSON on stderr, no progress')
    .option('--yes', 'do not ask before something is destroyed')
    .configureHelp({ showGlobalOptions: true, helpWidth: 100 })
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => io.err.write(text),
      // An error is told once, by `run`: as one line, or as JSON.
      outputError: () => undefined,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride()
    .addHelpText('after', exitCodeHelp);
  addStatus(annals, act);
  addRebuild(annals, act);
  addVerify(annals, act);
  addFlips(annals, act);
  addDeadLetters(annals, act);
  addReactors(annals, act);
  addReconcile(annals, act);
  addLogCommands(annals, act);
  addKeysCommands(annals, act);
  addSubjects(annals, act);
  return annals;
}

function exitCodeHelp(): string {
  const rows = Object.entries(exitCodes).map(([name, code]) => {
    const meaning = exitCodeMeanings[name as keyof typeof exitCodes];
    return `  ${String(code).padEnd(4)} ${meaning}`;
  });
  return ['', 'Exit codes:', ...rows].join('\n');
}
