/** What the exit code of `npm run engines` says; scripts may rely on it. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, missing: 5, interrupted: 130 } as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export type EnginesErrorCode =
  | 'usage'
  | 'missing-program'
  | 'start-failed'
  | 'stop-failed'
  | 'busy'
  | 'damaged-state'
  | 'interrupted';

const exitCodeOf: { readonly [code in EnginesErrorCode]: ExitCode } = {
  usage: exitCodes.usage,
  'missing-program': exitCodes.missing,
  'start-failed': exitCodes.failed,
  'stop-failed': exitCodes.failed,
  busy: exitCodes.failed,
  'damaged-state': exitCodes.failed,
  interrupted: exitCodes.interrupted,
};

/** Something an operator must know; the message is one sentence, or ends with lines of a log. */
export class EnginesError extends Error {
  readonly code: EnginesErrorCode;
  constructor(code: EnginesErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EnginesError';
    this.code = code;
  }

  get exitCode(): ExitCode {
    return exitCodeOf[this.code];
  }
}

/** Throws what says that somebody pressed Ctrl-C, when somebody did. */
export function stopIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new EnginesError('interrupted', 'stopped before it was done');
}
