import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export interface Service {
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly image?: string;
  readonly command?: readonly string[];
  readonly restart?: string;
  readonly environment?: { readonly [name: string]: string };
  readonly depends_on?: { readonly [service: string]: { readonly condition: string } };
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
}

export const composeFile = join(
  import.meta.dirname,
  ...['..', '..', '..'],
  ...['infra', 'compose', 'compose.yaml'],
);

const text = readFileSync(composeFile, 'utf8');

export const services = parse(text, { merge: true }) as {
  readonly name: string;
  readonly services: { readonly [name: string]: Service };
  readonly volumes: { readonly [name: string]: null };
};

const filled: { readonly [variable: string]: string } = {
  ANNALS_MASTER_KEY: 'ab'.repeat(32),
  ANNALS_ADMIN_KEY: 'admin-key-of-these-tests-0123456789',
};

/** What the file takes from the environment of whoever runs it. */
export function variables(): ReadonlySet<string> {
  return new Set([...text.matchAll(/\$\{(\w+)/g)].map(([, name]) => name as string));
}

/** The environment of a service, with the variables filled in, or what stands for them. */
export function settingsIn({ environment = {} }: Service): { readonly [name: string]: string } {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value.replace(
        /\$\{(\w+)(?::-([^}]*))?[^}]*\}/g,
        (_, variable: string, preset = '') => filled[variable] ?? preset,
      ),
    ]),
  );
}
