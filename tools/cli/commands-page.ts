import type { Command } from 'commander';
import { exitCodeMeanings, exitCodes } from './exit-codes.ts';

/** docs/cli.md, made from the help texts and the table of exit codes: a test compares. */
export function commandsPage(annals: Command): string {
  const codes = Object.entries(exitCodes).map(([name, code]) => {
    return `| ${code} | ${name} | ${exitCodeMeanings[name as keyof typeof exitCodes]} |`;
  });
  return [
    '# The annals command',
    '',
    '<!-- Made from the help texts by `npx vitest run tools/cli/commands-page.test.ts -u`: do not edit. -->',
    '',
    'It reads and changes a site, with or without a service running on it. Results go to',
    'standard output, everything else (progress, remarks, questions, errors) to standard error. With',
    '`--json` a result is one JSON document (`log show` and `log tail`: a document in each line), and an',
    'error is one line `{"error": ..., "code": ..., "exit_code": ...}`. Destructive commands ask; with',
    '`--yes` they do not, and where there is no terminal to ask on they do nothing without it. Ctrl-C',
    'brings a command to rest; a rebuild and an import go on from there when they are run again.',
    '`annals --version` tells the version.',
    '',
    '| variable | what |',
    '| --- | --- |',
    '| `ANNALS_DATA`, `ANNALS_LOG`, `ANNALS_LEADERBOARD_STORE`, … | where log, keys and read models are, as in [Configuration](configuration.md); with `--data` all is in that folder, and these do not count |',
    '| `ANNALS_MASTER_KEY` | the master key of personal data, 64 hex digits, where it is not kept beside the keys |',
    '| `NO_COLOR` | no colors |',
    '| `ANNALS_DEBUG` | with an error, also where in the program it was found |',
    '',
    '## Exit codes',
    '',
    '| code | name | meaning |',
    '| --- | --- | --- |',
    ...codes,
    '',
    '## Commands',
    '',
    ...leaves(annals).flatMap((command) => [
      `### ${fullName(command)}`,
      '',
      '```text',
      helpOf(command),
      '```',
      '',
    ]),
  ].join('\n');
}

/** The commands that do something, in the order of the help. */
export function leaves(command: Command): readonly Command[] {
  const below = command.commands.filter((one) => one.name() !== 'help');
  return below.length === 0 ? [command] : below.flatMap(leaves);
}

export function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

/** The help as it is printed, without the global options: the page tells them once. */
function helpOf(command: Command): string {
  let text = '';
  const whole = command.configureOutput();
  command.configureOutput({ ...whole, writeOut: (part) => (text += part) });
  command.outputHelp();
  command.configureOutput(whole);
  return text.replace(/\nGlobal Options:\n(?: .*\n)+/, '').trimEnd();
}
