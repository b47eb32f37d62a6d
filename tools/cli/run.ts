import { CommanderError } from 'commander';
import { type CommandContext, contextOf, type GlobalOptions } from './context.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { failureOf } from './failure.ts';
import { type Io, pipeClosed } from './io.ts';
import { Output } from './output.ts';
import { program } from './program.ts';

/**
 * One run of `annals`: `argv` is what stands behind the program's name. Never throws; what went
 * wrong is one line on `io.err`, and the exit code.
 */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.ok;
  const act = <Given extends readonly unknown[]>(
    work: (context: CommandContext, ...given: Given) => Promise<ExitCode>,
  ) => {
    return async (...given: readonly unknown[]): Promise<void> => {
      // Commander hands over the arguments, the options and, last, the command itself.
      const command = given.at(-1) as { optsWithGlobals(): GlobalOptions };
      const context = contextOf(io, command.optsWithGlobals());
      exitCode = await work(context, ...(given.slice(0, -1) as unknown as Given));
    };
  };
  try {
    await program(act, io).parseAsync([...argv], { from: 'user' });
    return io.signal.reason === pipeClosed ? exitCodes.pipeClosed : exitCode;
  } catch (error) {
    // Nobody reads, so nothing is said.
    if (io.signal.reason === pipeClosed) return exitCodes.pipeClosed;
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.ok;
    if (isHelp(error)) return exitCodes.usage;
    const failure = failureOf(error);
    new Output(io, asksForJson(argv)).error(failure);
    if (io.env.ANNALS_DEBUG && error instanceof Error) io.err.write(`${error.stack}\n`);
    return failure.exitCode;
  }
}

/** A group without a command (`annals log`): commander has printed its help. */
function isHelp(error: unknown): boolean {
  return error instanceof CommanderError && error.code === 'commander.help';
}

/** Also where the command line is too wrong to be parsed. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? undefined : end).includes('--json');
}
