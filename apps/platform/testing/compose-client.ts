import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { composeFile } from './compose-file.ts';

type Environment = { readonly [name: string]: string };

/** Runs `docker compose` on infra/compose/compose.yaml and resolves with what it prints; rejects where it refuses. */
export type ComposeClient = (args: readonly string[], env: Environment) => Promise<string>;

/** The plugin of docker, else the client of version 1 (Debian has it); undefined where there is neither. */
export async function composeClient(): Promise<ComposeClient | undefined> {
  if (await answers('docker', ['compose', 'version'])) {
    return (args, env) => print('docker', ['compose', '-f', composeFile, ...args], env);
  }
  if (!(await answers('docker-compose', ['version']))) return undefined;
  // Version 1 knows all of the file but the project's name.
  const text = readFileSync(composeFile, 'utf8').replace(/^name: .*$/m, '');
  const first = ['--project-directory', dirname(composeFile), '-f', '-'];
  return (args, env) => print('docker-compose', [...first, ...args], env, text);
}

async function answers(program: string, args: readonly string[]): Promise<boolean> {
  return await print(program, args, {}).then(
    () => true,
    () => false,
  );
}

async function print(
  program: string,
  args: readonly string[],
  env: Environment,
  input = '',
): Promise<string> {
  const { PATH = '', HOME = '' } = process.env;
  const running = promisify(execFile)(program, [...args], { env: { PATH, HOME, ...env } });
  running.child.stdin?.end(input);
  return (await running).stdout;
}
