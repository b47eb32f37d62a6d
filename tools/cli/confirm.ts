import { confirm } from '@inquirer/prompts';
import type { CommandContext } from './context.ts';
import { CommandError, exitCodes } from './exit-codes.ts';

/** Asks before something is destroyed. Without a terminal, only `--yes` goes on. Throws CommandError on a no. */
export async function confirmed(context: CommandContext, question: string): Promise<void> {
  const { io, yes } = context;
  if (yes) return;
  if (!io.stdin.isTTY) {
    throw new CommandError(
      exitCodes.usage,
      'not-confirmed',
      `${question} Say --yes: there is no terminal to ask on`,
    );
  }
  const agreed = await confirm(
    { message: question, default: false },
    { input: io.stdin, output: io.err, signal: io.signal },
  );
  if (!agreed) {
    throw new CommandError(
      exitCodes.refused,
      'not-confirmed',
      'not confirmed: nothing was changed',
    );
  }
}
