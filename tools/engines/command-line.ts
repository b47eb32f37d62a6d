import { Command, InvalidArgumentError } from 'commander';
import { down } from './down.ts';
import { enginesFolder, knownIds, readRecord, type Site } from './engines-folder.ts';
import { EnginesError } from './errors.ts';
import { jarsOf } from './jars.ts';
import { engineNames, isEngineId, kindOf } from './kinds/kinds.ts';
import { actOn, type NodeAction, nodeActions, nodeNamed } from './node-actions.ts';
import { logTail, numbersOf } from './node-processes.ts';
import { nodetool } from './nodetool.ts';
import { identityOf } from './process-identity.ts';
import type { Environment } from './programs.ts';
import { type EngineStatus, statusOf } from './status.ts';
import { type Holder, up } from './up.ts';

/** What the command line works with; the tests give their own. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Environment;
  readonly signal: AbortSignal;
}

const lingerSecondsDefault = 60;
const logLinesDefault = 50;

/** `npm run engines -- …`; throws EnginesError and CommanderError. */
export function commandLine(io: Io): Command {
  const engines = new Command('engines')
    .description(
      'Starts real servers on free ports of 127.0.0.1, for tests and for trying, and stops only those.',
    )
    .option('--json', 'results as JSON on stdout, errors as JSON on stderr')
    .configureHelp({ showGlobalOptions: true, helpWidth: 100 })
    .configureOutput({ writeOut: io.out, writeErr: io.err, outputError: () => undefined })
    .exitOverride()
    .addHelpText('after', helpText);
  addUp(engines, io);
  addDown(engines, io);
  addLooks(engines, io);
  addNodeActions(engines, io);
  addNodetool(engines, io);
  engines
    .command('fetch')
    .description('fetches the jars of engines that come by Maven, without starting anything')
    .argument('[engine...]', 'kafka, cassandra; both when none is named')
    .action(async (names: string[]) => {
      const sets = names.length > 0 ? names : ['kafka', 'cassandra'];
      const site = siteOf(engines, io);
      for (const set of sets) {
        if (set !== 'kafka' && set !== 'cassandra') {
          throw new EnginesError('usage', `${set} does not come by Maven: kafka, cassandra`);
        }
        await jarsOf(site, set);
      }
      show(engines, io, { fetched: sets }, () => `jars are there: ${sets.join(', ')}`);
    });
  return engines;
}

const helpText = `
Engines: ${engineNames.join(', ')}; with a label (kafka@mine) one of your own beside the shared one.
Nodes: kafka3/2, redis-cluster/4, kafka@mine/1.

Examples:
  npm run engines -- up redis kafka
  npm run engines -- status --json
  npm run engines -- kill kafka3/2
  npm run engines -- down --wipe

Data and logs are in .engines (ANNALS_ENGINES_FOLDER names another folder); engine.json in an
engine's folder tells its url, ports and processes.

Exit codes: 0 done, 1 failed, 2 wrong command line, 5 a program is missing, 130 stopped by Ctrl-C.`;

function addUp(engines: Command, io: Io): void {
  engines
    .command('up')
    .description('starts engines and waits until they answer; brings back what was killed')
    .argument('<engine...>', 'engines')
    .option('--hold <pid>', 'not for ever: while this process runs, and a time after it', positive)
    .option('--linger <seconds>', 'that time', positive, lingerSecondsDefault)
    .action(async (ids: string[], options: { hold?: number; linger: number }) => {
      checkIds(ids);
      const holder = holderOf(options);
      const site = siteOf(engines, io);
      const started: EngineStatus[] = [];
      for (const id of ids) started.push(await statusOf(site, await up(site, id, holder)));
      show(engines, io, started, () => textOf(started));
    });
}

function holderOf({ hold, linger }: { hold?: number; linger: number }): Holder | undefined {
  if (hold === undefined) return undefined;
  const process = identityOf(hold);
  if (!process) throw new EnginesError('usage', `there is no process ${hold} to hold an engine`);
  return { process, lingerMs: linger * 1_000 };
}

function addDown(engines: Command, io: Io): void {
  engines
    .command('down')
    .description('ends engines; their data stays for the next up')
    .argument('[engine...]', 'engines; all when none is named')
    .option('--wipe', 'remove their data, too')
    .action(async (named: string[], options: { wipe?: boolean }) => {
      checkIds(named);
      const site = siteOf(engines, io);
      const ids = named.length > 0 ? named : knownIds(site);
      const ended: string[] = [];
      for (const id of ids)
        if (await down(site, id, { wipe: options.wipe ?? false })) ended.push(id);
      const text = ended.length > 0 ? `down: ${ended.join(', ')}` : 'nothing was up';
      show(engines, io, { down: ended }, () => text);
    });
}

function addLooks(engines: Command, io: Io): void {
  engines
    .command('status')
    .description('tells what runs, where it answers, and who uses it')
    .argument('[engine...]', 'engines; all when none is named')
    .action(async (named: string[]) => {
      checkIds(named);
      const site = siteOf(engines, io);
      const ids = named.length > 0 ? named : knownIds(site);
      const records = ids
        .map((id) => readRecord(site, id))
        .filter((record) => record !== undefined);
      const all = await Promise.all(records.map((record) => statusOf(site, record)));
      show(engines, io, all, () => (all.length > 0 ? textOf(all) : 'nothing is up'));
    });
  engines
    .command('logs')
    .description('shows the end of what the nodes printed')
    .argument('[engine|node...]', 'engines or nodes; all when none is named')
    .option('--lines <count>', 'lines of each node', positive, logLinesDefault)
    .action((named: string[], { lines }: { lines: number }) => {
      const site = siteOf(engines, io);
      const names = (named.length > 0 ? named : knownIds(site)).flatMap((name) =>
        nodesIn(site, name),
      );
      const logs = names.map((name) => {
        const { id, number } = nodeNamed(name);
        return { node: name, log: logTail(site, id, number, lines) };
      });
      show(engines, io, logs, () => logs.map(({ node, log }) => `== ${node}\n${log}`).join('\n'));
    });
}

/** The nodes of an engine, or the node itself. */
function nodesIn(site: Site, name: string): string[] {
  if (name.includes('/')) {
    checkIds([nodeNamed(name).id]);
    return [name];
  }
  kindOf(name);
  const record = readRecord(site, name);
  return record ? numbersOf(record).map((number) => `${name}/${number}`) : [];
}

function addNodeActions(engines: Command, io: Io): void {
  for (const [action, description] of Object.entries(nodeActions)) {
    engines
      .command(action)
      .description(description)
      .argument('<node>', 'a node, as kafka3/2')
      .action(async (name: string) => {
        const site = siteOf(engines, io);
        const status = await statusOf(site, await actOn(site, action as NodeAction, name));
        show(engines, io, status, () => textOf([status]));
      });
  }
}

function addNodetool(engines: Command, io: Io): void {
  engines
    .command('nodetool')
    .description('runs nodetool of Cassandra on a node, as nodetool cassandra/1 -- flush annals')
    .argument('<node>', 'a node, as cassandra/1')
    .argument('<args...>', 'what nodetool is to do')
    .action(async (name: string, args: string[]) => {
      const printed = await nodetool(siteOf(engines, io), name, args);
      show(engines, io, { printed }, () => printed.trimEnd());
    });
}

function siteOf(engines: Command, io: Io): Site {
  const say = (text: string): void => {
    if (!engines.opts<{ json?: boolean }>().json) io.err(`${text}\n`);
  };
  return { folder: enginesFolder(io.env), env: io.env, say, signal: io.signal };
}

function show(engines: Command, io: Io, value: unknown, text: () => string): void {
  const { json } = engines.opts<{ json?: boolean }>();
  io.out(`${json ? JSON.stringify(value, undefined, 2) : text()}\n`);
}

function textOf(all: readonly EngineStatus[]): string {
  return all
    .map(({ id, state, url, nodes, pinned, holders }) => {
      const stays = pinned ? 'until down' : `while in use (now by ${holders})`;
      const lines = nodes.map(({ name, address, state: one, pid }) =>
        `  ${name}  ${address}  ${one}  ${pid ?? ''}`.trimEnd(),
      );
      return [`${id}  ${state}  ${url}  ${stays}`, ...lines].join('\n');
    })
    .join('\n');
}

/** All names are looked at before anything is done. Throws `usage`. */
function checkIds(ids: readonly string[]): void {
  for (const id of ids) if (!isEngineId(id)) kindOf(id);
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('give a whole number from 1');
  return Number(text);
}
