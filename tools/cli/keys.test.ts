import { describe, expect, it, vi } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { annals, annalsJson } from './testing/cli.ts';
import { filesHolding, scoredFolder } from './testing/data-folder.ts';

// Files are synced, and the machine may be busy: slow is no failure here.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

interface ListedKey {
  readonly key_id: string;
  readonly name: string;
  readonly status: string;
  readonly scopes: readonly string[];
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
}

async function listed(folder: string): Promise<readonly ListedKey[]> {
  const { keys } = await annalsJson<{ keys: ListedKey[] }>(['keys', 'list', '--data', folder]);
  return keys;
}

describe('API keys', () => {
  it('are shown once, as they are issued, and kept nowhere', async () => {
    const folder = await scoredFolder(1);
    const argv = ['keys', 'issue', 'game-1', '--scope', 'scores:write', '--data', folder];
    const { out, err } = await annals(argv);
    const token = out.trim();
    expect(token).toMatch(/^annals_[0-9a-f]{16}_\S{43,}$/);
    expect(err).toMatch(/^key [0-9a-f]{16}: keep it now/);
    expect(await filesHolding(folder, token)).toEqual([]);
    expect(await filesHolding(folder, token.slice(-20))).toEqual([]);
    expect(await listed(folder)).toMatchObject([
      { name: 'game-1', status: 'active', scopes: ['scores:write'], expires_at: null },
    ]);
  });

  it('may have several scopes and an end', async () => {
    const folder = await scoredFolder(1);
    const issue = ['keys', 'issue', '--data', folder];
    const scopes = ['--scope', 'scores:read,ops:read', '--scope', 'scores:read'];
    await annals([...issue, 'a', ...scopes, '--expires', '2035-01-31']);
    await annals([...issue, 'b', '--scope', 'admin', '--expires', '30d']);
    const [a, b] = await listed(folder);
    expect(a).toMatchObject({
      scopes: ['scores:read', 'ops:read'],
      expires_at: '2035-01-31T00:00:00.000Z',
    });
    const days = (Date.parse(b?.expires_at ?? '') - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29);
    expect(days).toBeLessThanOrEqual(30);
  });

  it('are revoked after a question, for good, and only once', async () => {
    const folder = await scoredFolder(1);
    const { key_id: keyId } = await annalsJson<{ key_id: string }>([
      ...['keys', 'issue', 'game-1', '--scope', 'admin', '--data', folder],
    ]);
    const argv = ['keys', 'revoke', keyId, '--data', folder];
    const asked = await annals(argv);
    expect(asked.code).toBe(exitCodes.usage);
    expect(asked.err).toContain(`Revoke the key ${keyId} (game-1), for good? Say --yes`);
    expect((await listed(folder))[0]?.status).toBe('active');
    expect((await annals([...argv, '--yes'])).out).toBe(`${keyId} is revoked\n`);
    expect((await annals(argv)).out).toBe(`${keyId} was revoked before\n`);
    const [key] = await listed(folder);
    expect(key).toMatchObject({ status: 'revoked', revoked_at: expect.stringMatching(/Z$/) });
  });

  it('list as a table, or say that there are none', async () => {
    const folder = await scoredFolder(1);
    expect((await annals(['keys', 'list', '--data', folder])).out).toMatch(/no key was issued/);
    await annals(['keys', 'issue', 'a', '--scope', 'admin', '--data', folder]);
    const { out } = await annals(['keys', 'list', '--data', folder]);
    expect(out).toMatch(/│ a +│ active │ admin +│ \d{4}-.*│ never/);
  });
});
