import type { Command } from 'commander';

/** A command line and what it is good for. */
export type Example = readonly [commandLine: string, what: string];

/** Puts examples below the help of a command. */
export function withExamples(command: Command, ...examples: readonly Example[]): Command {
  const lines = examples.flatMap(([commandLine, what]) => [`  # ${what}`, `  ${commandLine}`]);
  return command.addHelpText('after', ['', 'Examples:', ...lines].join('\n'));
}
