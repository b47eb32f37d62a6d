/** What the exit code of the demo says; those of `annals`, where they mean the same. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  unavailable: 5,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** One sentence for each exit code, for `--help`. */
export const exitCodeMeanings: { readonly [name in keyof typeof exitCodes]: string } = {
  ok: 'Everything that was shown held.',
  failed: 'A promise was broken, or a step failed; the message says which.',
  usage: 'The command line is wrong.',
  refused: 'Not confirmed: nothing was written.',
  unavailable: 'No service answers there, it is not ready, or it refuses the key.',
  interrupted: 'Stopped by a signal; a service of its own was stopped too.',
};

/** Ends the demo with one clear line, a stable code and an exit code. */
export class DemoError extends Error {
  readonly exitCode: ExitCode;
  readonly code: string;
  constructor(exitCode: ExitCode, code: string, message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.name = 'DemoError';
    this.exitCode = exitCode;
    this.code = code;
  }
}
