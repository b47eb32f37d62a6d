import { CommanderError } from 'commander';
import { commandLine, type Io } from './command-line.ts';
import { EnginesError, type ExitCode, exitCodes } from './errors.ts';

/** One run of the command: `argv` is what stands behind its name. What went wrong is told on `io.err`. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  try {
    await commandLine(io).parseAsync([...argv], { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.ok;
    // Without a command, commander has printed its help.
    if (error instanceof CommanderError && error.code === 'commander.help') return exitCodes.usage;
    const { message, code, exitCode } = failureOf(error);
    const json = argv.includes('--json');
    const told = { error: message, code, exit_code: exitCode };
    io.err(json ? `${JSON.stringify(told)}\n` : `engines: ${message}\n`);
    return exitCode;
  }
}

interface Failure {
  readonly message: string;
  readonly code: string;
  readonly exitCode: ExitCode;
}

function failureOf(error: unknown): Failure {
  if (error instanceof EnginesError) return error;
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
    return { message, code: 'usage', exitCode: exitCodes.usage };
  }
  return { message: String(error), code: 'failed', exitCode: exitCodes.failed };
}
