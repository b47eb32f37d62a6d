import { confirm } from '@inquirer/prompts';
import { CommandError, exitCodes } from './exit-codes.ts';

/** Asks before something is destroyed. Without a terminal, only `--yes` goes on. */
export async function confirmed(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) {
    throw new CommandError(
      exitCodes.usage,
      `${question} Say --yes: there is no terminal to ask on`,
    );
  }
  const agreed = await confirm({ message: question, default: false });
  if (!agreed) throw new CommandError(exitCodes.refused, 'not confirmed: nothing was changed');
}
