/** What the exit code of `annals` says. Documented in docs/cli.md; scripts may rely on it. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  different: 4,
  unavailable: 5,
  interrupted: 130,
  pipeClosed: 141,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** One sentence for each exit code: the help of `annals` and docs/cli.md show these. */
export const exitCodeMeanings: { readonly [name in keyof typeof exitCodes]: string } = {
  ok: 'Done.',
  failed: 'A fault of the program or of the machine; the message says which.',
  usage:
    'The command line is wrong: an unknown command or option, a wrong value or file, or the name of ' +
    'something that is not there (projection, generation, stream, API key, dead letter).',
  refused:
    'The command was understood and refused; the message says what was changed, if anything.',
  different:
    'verify found a difference, reconcile a break that somebody has to look at, or a log or an export ' +
    'holds an event that was changed.',
  unavailable:
    'Something needed is not there or cannot be used: data folder, log, store of a generation, key of ' +
    'personal data; or the engine that has it (Kafka, Redis and the others) does not answer, is another one, refuses ' +
    'us, or holds what is of somebody else; or the log is not the one that its replica has followed.',
  interrupted: 'Stopped by Ctrl-C or SIGTERM, cleanly; what was done so far is kept.',
  pipeClosed: 'The program that read the output went away, as head does.',
};

/** Ends the command with this exit code and one clear line. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;
  /** Stable words for scripts, shown with `--json`. */
  readonly code: string;
  /** More for scripts, shown with `--json`. */
  readonly details: Readonly<Record<string, string | number>>;
  constructor(
    exitCode: ExitCode,
    code: string,
    message: string,
    details: Readonly<Record<string, string | number>> = {},
  ) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
    this.code = code;
    this.details = details;
  }
}

/** A command that came to rest because it was told to; `message` says how to go on. */
export function interrupted(message: string): CommandError {
  return new CommandError(exitCodes.interrupted, 'interrupted', message);
}
