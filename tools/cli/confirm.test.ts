import { PassThrough } from 'node:stream';
import { systemClock } from '@annals/core';
import { describe, expect, it } from 'vitest';
import { confirmed } from './confirm.ts';
import { type CommandContext, contextOf } from './context.ts';

/** A terminal on which somebody types. */
function terminal(options: { readonly yes?: boolean; readonly isTTY?: boolean } = {}) {
  const stdin = Object.assign(new PassThrough(), { isTTY: options.isTTY ?? true });
  const err = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  let shown = '';
  err.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
  });
  const stop = new AbortController();
  const io = {
    stdin,
    out: new PassThrough(),
    err,
    env: {},
    clock: systemClock,
    signal: stop.signal,
  };
  const context: CommandContext = contextOf(io, { yes: options.yes === true });
  return { context, stdin, stop, shown: () => shown };
}

describe('a question before something is destroyed', () => {
  it('goes on with a yes', async () => {
    const { context, stdin, shown } = terminal();
    const asked = confirmed(context, 'Drop it?');
    await expect.poll(shown).toContain('Drop it?');
    stdin.write('y\n');
    await expect(asked).resolves.toBeUndefined();
  });

  it.each(['n\n', '\n'])('stops with %j', async (typed) => {
    const { context, stdin, shown } = terminal();
    const asked = confirmed(context, 'Drop it?');
    await expect.poll(shown).toContain('Drop it?');
    stdin.write(typed);
    await expect(asked).rejects.toMatchObject({ exitCode: 3, code: 'not-confirmed' });
  });

  it('stops with Ctrl-C', async () => {
    const { context, stop, shown } = terminal();
    const asked = confirmed(context, 'Drop it?');
    await expect.poll(shown).toContain('Drop it?');
    stop.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortPromptError' });
  });

  it('is not asked with --yes, and cannot be asked without a terminal', async () => {
    const sure = terminal({ yes: true });
    await confirmed(sure.context, 'Drop it?');
    expect(sure.shown()).toBe('');
    const piped = terminal({ isTTY: false });
    await expect(confirmed(piped.context, 'Drop it?')).rejects.toMatchObject({
      exitCode: 2,
      message: 'Drop it? Say --yes: there is no terminal to ask on',
    });
  });
});
