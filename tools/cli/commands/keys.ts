import { isScope, issueKey, listKeys, revokeKey, scopes } from '@annals/iam';
import { type Command, InvalidArgumentError } from 'commander';
import { confirmed } from '../confirm.ts';
import { type CommandContext, withLog } from '../context.ts';
import { withExamples } from '../examples.ts';
import { CommandError, type ExitCode, exitCodes } from '../exit-codes.ts';
import { time } from '../output.ts';
import { printable } from '../printable.ts';
import type { Act } from '../program.ts';

/** Who issued or revoked a key, in its events. */
const actor = 'annals-cli';

export function addKeysCommands(annals: Command, act: Act): void {
  const keys = annals.command('keys').description('issues, lists and revokes API keys');
  const known = Object.entries(scopes).map(([name, what]) => `  ${name.padEnd(14)} ${what}`);
  withExamples(
    keys
      .command('issue')
      .description('makes an API key and prints it, this once: only its hash is kept')
      .argument('<name>', 'what the key is for, as in game-server-1')
      .requiredOption('--scope <scope>', 'what it may do (may come again)', anotherScope)
      .option('--expires <time>', 'until when it is good, as in 2027-01-31 or 90d', expiry)
      .addHelpText('after', ['', 'Scopes:', ...known].join('\n'))
      .action(act(issue)),
    ['annals keys issue game-server-1 --scope scores:write', 'a key that reports scores'],
    [
      'annals keys issue auditor --scope scores:read --scope ops:read --expires 90d',
      'a key that reads, for 90 days',
    ],
  );
  withExamples(
    keys
      .command('list')
      .description('all keys ever issued, without their secrets')
      .action(act(list)),
    ['annals keys list', 'which keys there are, and which are still good'],
  );
  withExamples(
    keys
      .command('revoke')
      .description('revokes an API key, for good; running services refuse it at once')
      .argument('<key-id>', 'as keys list shows it')
      .action(act(revoke)),
    ['annals keys revoke 0123456789abcdef', 'asks first'],
    ['annals keys revoke 0123456789abcdef --yes', 'does not ask'],
  );
}

function anotherScope(text: string, before: readonly string[] = []): readonly string[] {
  const named = text.split(',').map((one) => one.trim());
  const unknown = named.find((one) => !isScope(one));
  if (unknown === undefined) return [...before, ...named];
  throw new InvalidArgumentError(`There are: ${Object.keys(scopes).join(', ')}.`);
}

const dayMs = 86_400_000;

/** A time, or a span from now. */
type Expiry = { readonly at: number } | { readonly inMs: number };

function expiry(text: string): Expiry {
  const [, days] = /^(\d{1,4})d$/.exec(text) ?? [];
  if (days) return { inMs: Number(days) * dayMs };
  const at = /^\d{4}-\d\d-\d\d(T|$)/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at)) return { at };
  throw new InvalidArgumentError('A time is written 2027-01-31, 2027-01-31T12:00:00Z or 90d.');
}

interface IssueOptions {
  readonly scope: readonly string[];
  readonly expires?: Expiry;
}

async function issue(
  context: CommandContext,
  name: string,
  { scope, expires }: IssueOptions,
): Promise<ExitCode> {
  const { clock } = context.io;
  return withLog(
    context,
    async (log) => {
      const expiresAt =
        expires && ('at' in expires ? expires.at : context.io.clock.now() + expires.inMs);
      const issued = await issueKey(
        { log, clock },
        {
          name,
          scopes: [...new Set(scope)],
          issuedBy: actor,
          ...(expiresAt === undefined ? {} : { expiresAt }),
        },
      );
      if (issued.kind !== 'issued') throw notDone(issued);
      const { keyId, token } = issued;
      await context.output.result({ key_id: keyId, token }, () => token);
      context.output.remark(`key ${keyId}: keep it now, it is not shown again`);
      return exitCodes.ok;
    },
    { write: true },
  );
}

async function list(context: CommandContext): Promise<ExitCode> {
  return withLog(context, async (log) => {
    const keys = await listKeys({ log, clock: context.io.clock });
    const document = keys.map((key) => ({
      key_id: key.keyId,
      name: key.name,
      status: key.status,
      scopes: key.scopes,
      issued_at: time(key.issuedAt),
      issued_by: key.issuedBy,
      expires_at: key.expiresAt === undefined ? null : time(key.expiresAt),
      revoked_at: key.revoked ? time(key.revoked.at) : null,
    }));
    await context.output.result({ keys: document }, () =>
      keys.length === 0
        ? 'no key was issued: annals keys issue --help'
        : context.output.table(
            ['key', 'name', 'status', 'scopes', 'issued', 'expires'],
            document.map((key) => [
              key.key_id,
              printable(key.name),
              key.status,
              key.scopes.join(', '),
              key.issued_at,
              key.expires_at ?? 'never',
            ]),
          ),
    );
    return exitCodes.ok;
  });
}

async function revoke(context: CommandContext, keyId: string): Promise<ExitCode> {
  const { clock } = context.io;
  return withLog(
    context,
    async (log) => {
      const key = (await listKeys({ log, clock })).find((one) => one.keyId === keyId);
      if (!key) {
        const shown = JSON.stringify(keyId.slice(0, 64));
        const message = `there is no key ${shown}: annals keys list shows them`;
        throw new CommandError(exitCodes.usage, 'no-such-key', message);
      }
      if (!key.revoked) {
        const named = `${keyId} (${printable(key.name)})`;
        await confirmed(context, `Revoke the key ${named}, for good?`);
      }
      const revoked = await revokeKey({ log, clock }, { keyId, revokedBy: actor });
      if (revoked.kind !== 'revoked') throw notDone(revoked);
      await context.output.result({ key_id: keyId, already: revoked.already }, () =>
        revoked.already ? `${keyId} was revoked before` : `${keyId} is revoked`,
      );
      return exitCodes.ok;
    },
    { write: true },
  );
}

type NotDone =
  | { readonly kind: 'refused'; readonly reason: string; readonly detail: string }
  | { readonly kind: 'unavailable'; readonly detail: string }
  | { readonly kind: 'unknown'; readonly detail: string };

/** Refusals that lie with what the log holds; the others lie with what was typed. */
const heldReasons: ReadonlySet<string> = new Set(['key-exists', 'too-many-keys']);

function notDone(answer: NotDone): CommandError {
  if (answer.kind === 'refused') {
    const exitCode = heldReasons.has(answer.reason) ? exitCodes.refused : exitCodes.usage;
    return new CommandError(exitCode, answer.reason, answer.detail);
  }
  if (answer.kind === 'unavailable') {
    const message = `the log did not take it, nothing was changed: ${answer.detail}`;
    return new CommandError(exitCodes.failed, 'not-stored', message);
  }
  const message = `it may have happened, see annals keys list: ${answer.detail}`;
  return new CommandError(exitCodes.failed, 'unknown-outcome', message);
}
