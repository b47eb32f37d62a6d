import { confirm } from '@inquirer/prompts';
import pc from 'picocolors';
import { playDemo, type Summary } from './demo.ts';
import { DemoError, type ExitCode, exitCodes } from './exit-codes.ts';
import { demoCommand, type Options, parseOptions } from './options.ts';
import { findService, type Service } from './service.ts';
import { count, Stage, seconds } from './stage.ts';

/** `npm run demo`. */
const command = demoCommand();
// What commander refuses is a wrong command line: 2, as `annals` has it.
command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : exitCodes.usage));
const options = parseOptions(command, process.argv.slice(2));

/** npm passes a Ctrl-C on that the terminal has sent already, so further ones change nothing: stopping is bounded. */
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => stop.abort());
}
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stop.abort());

const exitCode = await run(options, stop.signal);
process.exitCode = exitCode;
// Nothing that was left open may keep the demo from ending; what was written comes first.
process.stdout.write('', () => process.stderr.write('', () => process.exit()));

async function run(given: Options, signal: AbortSignal): Promise<ExitCode> {
  const startedAt = performance.now();
  const stage = new Stage(process.stdout, process.stderr, { silent: given.json });
  try {
    const service = await findService(given, signal);
    const summary = await withService(service, given, stage, signal);
    if (given.json) process.stdout.write(`${JSON.stringify(summary, undefined, 2)}\n`);
    stage.act(summary.ok ? 'Everything held' : 'A promise was broken');
    stage.say(`in ${seconds(performance.now() - startedAt)}`);
    if (given.keep && service.own)
      stage.say(`the data is kept: ANNALS_DATA=${service.dataFolder} npm start`);
    return summary.ok ? exitCodes.ok : exitCodes.failed;
  } catch (error) {
    if (signal.aborted) {
      process.stderr.write('demo: stopped\n');
      return exitCodes.interrupted;
    }
    return told(error, given.json);
  }
}

/** Plays, and stops what was started, whatever happens. */
async function withService(
  service: Service,
  given: Options,
  stage: Stage,
  signal: AbortSignal,
): Promise<Summary> {
  let summary: Summary;
  try {
    stage.say(
      service.own
        ? `started a service at ${service.url} (data in ${service.dataFolder})`
        : `playing on the service at ${service.url}`,
    );
    if (!service.own) await confirmed(service, given, signal);
    summary = await playDemo(service, stage, given, { now: Date.now(), signal });
  } catch (error) {
    // A service that died explains more than the request that met it.
    await service.close().catch((why: unknown) => {
      if (!signal.aborted) throw why;
    });
    throw error;
  }
  await service.close();
  return summary;
}

/** Asks before anything is written to a service that somebody else runs. */
async function confirmed(service: Service, given: Options, signal: AbortSignal): Promise<void> {
  if (given.yes) return;
  const kill = service.dataFolder
    ? ` Then the read model in ${service.dataFolder} is deleted and rebuilt, while more is ` +
      'written to a new leaderboard demo-...-outage, which stays too.'
    : '';
  const question =
    `Play ${count(given.matches)} matches of ${count(given.players)} made-up players on ` +
    `leaderboard ${given.leaderboard} of ${service.url}? What is written stays there.${kill}`;
  if (!process.stdin.isTTY) {
    const message = `${question} Say --yes: there is no terminal to ask on`;
    throw new DemoError(exitCodes.usage, 'not-confirmed', message);
  }
  const agreed = await confirm(
    { message: question, default: false },
    { output: process.stderr, signal },
  );
  if (!agreed) {
    throw new DemoError(exitCodes.refused, 'not-confirmed', 'not confirmed: nothing was written');
  }
}

function told(error: unknown, json: boolean): ExitCode {
  const known = error instanceof DemoError;
  const interrupted = error instanceof Error && error.name === 'ExitPromptError';
  const code = known ? error.code : interrupted ? 'interrupted' : 'failed';
  const exit = known ? error.exitCode : interrupted ? exitCodes.interrupted : exitCodes.failed;
  const message = known ? error.message : String(error);
  process.stderr.write(
    json
      ? `${JSON.stringify({ error: message, code, exit_code: exit })}\n`
      : `${pc.red('demo:')} ${message}\n`,
  );
  return exit;
}
