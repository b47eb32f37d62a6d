import {
  type Config,
  configSchema,
  type Platform,
  type PlatformOptions,
  startPlatform,
} from '../index.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const adminKey = 'admin-key-of-these-tests-0123456789';

/** What a request was answered with. */
export interface Reply {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  readonly body: any;
  readonly headers: { readonly [name: string]: unknown };
}

export interface RequestOptions {
  readonly body?: unknown;
  readonly headers?: { readonly [name: string]: string };
  readonly key?: string;
}

export type Call = (route: string, options?: RequestOptions) => Promise<Reply>;

/** The settings of a platform on this folder and on a free port. */
export function testConfig(folder: string, more: Partial<Config> = {}): Config {
  const config = configSchema.parse({
    PORT: '0',
    ANNALS_DATA: folder,
    ANNALS_ADMIN_KEY: adminKey,
    ANNALS_LOG_LEVEL: 'silent',
    // Tests of payments say so: the others start faster without.
    ANNALS_PSP_URL: 'off',
  });
  return { ...config, ...more };
}

/** Requests to a platform, with the admin key unless told: `call('POST /v1/scores', { body })`. */
export function callOn({ server }: Pick<Platform, 'server'>): Call {
  return async (route, { body, headers, key = adminKey } = {}) => {
    const [method, url] = route.split(' ') as ['GET', string];
    const answer = await server.inject({
      method,
      url,
      headers: { authorization: `Bearer ${key}`, ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    });
    const text = answer.body;
    const isJson = String(answer.headers['content-type']).includes('json');
    return {
      status: answer.statusCode,
      body: isJson ? JSON.parse(text) : text,
      headers: answer.headers,
    };
  };
}

/**
 * The platform as `npm start` runs it, in a folder of its own unless told. `call` is a request with
 * the admin key: `call('POST /v1/scores', { body })`.
 */
export async function openPlatform(
  options: PlatformOptions & { readonly folder?: string; readonly config?: Partial<Config> } = {},
) {
  const temporary = options.folder === undefined ? await temporaryFolder() : undefined;
  const folder = options.folder ?? temporary?.path ?? '';
  // Until then reads say 503, and on a busy machine that takes longer than a start may wait.
  const readableMsMax = 30_000;
  const defaults = { checkResponses: true, readableMsMax };
  const platform = await startPlatform(testConfig(folder, options.config), {
    ...defaults,
    ...options,
  });
  return {
    ...platform,
    folder,
    call: callOn(platform),
    /** Stops the platform; a folder of its own goes with it. */
    close: async () => {
      await platform.stop();
      await temporary?.remove();
    },
  };
}

export type OpenPlatform = Awaited<ReturnType<typeof openPlatform>>;
