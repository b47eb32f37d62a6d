/** What the exit code of `annals` says. Documented in docs/cli.md; scripts may rely on it. */
export const exitCodes = {
  ok: 0,
  /** A fault of the program or of the machine; the message says which. */
  failed: 1,
  /** The command line is wrong: unknown command, option, projection, file or format. */
  usage: 2,
  /** The command was understood and refused: nothing was changed. */
  refused: 3,
  /** `verify` found a difference; `log verify` found damage. */
  different: 4,
  /** Something needed is not there: data folder, store, key. */
  unavailable: 5,
  /** Stopped by Ctrl-C or SIGTERM, cleanly; what was done so far is kept. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends the command with this exit code and one clear line. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;
  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}
