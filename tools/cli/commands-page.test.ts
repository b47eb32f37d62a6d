import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { commandsPage, fullName, leaves } from './commands-page.ts';
import { exitCodeMeanings, exitCodes } from './exit-codes.ts';
import { type Act, program } from './program.ts';
import { annals } from './testing/cli.ts';

/** The command line as it is, with a command that only says it was reached. */
function parser(onReached: (name: string, given: readonly unknown[]) => void = () => undefined) {
  const act: Act =
    () =>
    async (...given) => {
      onReached(fullName(given.at(-1) as Parameters<typeof fullName>[0]), given);
    };
  return program(act, { out: new PassThrough(), err: new PassThrough() });
}

const all = leaves(parser());
const examples = all.flatMap((command) => {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  const lines = help.slice(help.indexOf('\nExamples:')).split('\n');
  const found = lines.filter((line) => line.startsWith('  ') && !line.startsWith('  #'));
  return found.map((line) => ({ name: fullName(command), line: line.trim() }));
});

describe('the help', () => {
  it('is what docs/cli.md says', async () => {
    await expect(commandsPage(parser())).toMatchFileSnapshot('../../docs/cli.md');
  });

  it.each(all.map((command) => [fullName(command), command] as const))(
    'of %s has a description and examples of it',
    (name, command) => {
      expect(command.description().length).toBeGreaterThan(10);
      const own = examples.filter((example) => example.name === name);
      expect(own.length).toBeGreaterThan(0);
    },
  );

  it.each(examples)('of $name: $line can be typed', async ({ name, line }) => {
    const argv = line
      .split(/ [|&]+ /)
      .map((part) => part.trim())
      .find((part) => part.startsWith('annals '))
      ?.split(' ')
      .map((word) => word.replace(/^'(.*)'$/, '$1').replace(/^9f2c\.\.\.$/, 'a'.repeat(64)));
    const reached: string[] = [];
    const own = parser((command) => reached.push(command));
    await own.parseAsync((argv ?? []).slice(1), { from: 'user' });
    // An example may show what to do next, with another command.
    expect(reached).toHaveLength(1);
    expect(name.split(' ')[1]).toBe(reached[0]?.split(' ')[1]);
  });

  it('is not needed for the version', async () => {
    const version = expect.stringMatching(/^\d+\.\d+\.\d+\n$/);
    expect(await annals(['--version'])).toEqual({ code: exitCodes.ok, out: version, err: '' });
  });

  it('names every exit code', async () => {
    const { out, code } = await annals(['--help']);
    expect(code).toBe(exitCodes.ok);
    for (const [name, meaning] of Object.entries(exitCodeMeanings)) {
      expect(out).toContain(`${exitCodes[name as keyof typeof exitCodes]}`);
      expect(out).toContain(meaning);
    }
  });

  it.each([['log'], ['keys'], ['dead-letters'], ['subjects'], []])(
    'is shown for %s alone, as a wrong command line',
    async (...argv) => {
      const { code, out, err } = await annals(argv.filter((one) => one !== undefined));
      expect(code).toBe(exitCodes.usage);
      expect(out).toBe('');
      expect(err).toContain('Usage: annals');
    },
  );
});

describe('--data, --json and --yes', () => {
  const given = examples.filter(
    ({ name }, index) => examples.findIndex((one) => one.name === name) === index,
  );

  it.each(given)('are taken by $name before it and behind it', async ({ line }) => {
    const words = line.split(/ [|&]+ /).find((part) => part.includes('annals '));
    const argv = (words ?? '')
      .trim()
      .replace(/ --data \S+/, '')
      .split(' ')
      .slice(1);
    const options = ['--json', '--yes', '--data', 'somewhere'];
    for (const typed of [
      [...options, ...argv],
      [...argv, ...options],
    ]) {
      let seen: unknown;
      const own = parser((_, parsed) => {
        seen = (parsed.at(-1) as { optsWithGlobals(): unknown }).optsWithGlobals();
      });
      await own.parseAsync(typed, { from: 'user' });
      expect(seen).toMatchObject({ json: true, yes: true, data: 'somewhere' });
    }
  });
});
