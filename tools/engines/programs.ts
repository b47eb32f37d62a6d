import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { EnginesError } from './errors.ts';
import { output } from './run-program.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Programs of the system, and the Debian package that brings each. */
const packages = {
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
  openssl: 'openssl',
  java: 'openjdk-17-jre-headless',
  mvn: 'maven',
} as const;

export type ProgramName = keyof typeof packages;

/** The full path of a program. Throws `missing-program` with the command that installs it. */
export function program(name: ProgramName, env: Environment): string {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const path = folders.map((folder) => join(folder, name)).find(isExecutable);
  if (path) return path;
  throw missing(`${name} is not installed: ${installs(name)}`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The java of JAVA_HOME, else the one in PATH. Throws `missing-program` when its version is not one of `versions`. */
export async function java(
  env: Environment,
  versions: { readonly from: number; readonly to?: number },
): Promise<string> {
  const ofHome = env.JAVA_HOME ? join(env.JAVA_HOME, 'bin', 'java') : undefined;
  const path = ofHome && isExecutable(ofHome) ? ofHome : program('java', env);
  const said = await output(path, ['-version'], { env });
  const version = Number(/version "(?:1\.)?(\d+)/.exec(said)?.[1] ?? 0);
  if (version >= versions.from && version <= (versions.to ?? version)) return path;
  const wanted = versions.to === undefined ? `${versions.from} or newer` : `${versions.from}`;
  throw missing(
    `${path} is Java ${version || 'of an unknown version'}, and Java ${wanted} is needed: ` +
      `${installs('java')}, or set JAVA_HOME`,
  );
}

function installs(name: ProgramName): string {
  return `apt-get install -y --no-install-recommends ${packages[name]}`;
}

function missing(message: string): EnginesError {
  return new EnginesError('missing-program', message);
}
