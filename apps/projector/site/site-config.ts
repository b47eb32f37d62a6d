import { type BadUrl, isBad } from '@annals/core/url-parts';
import { digestKeyOf, digestKeyPattern, digestLimits } from '@annals/event-log/digest';
import { masterKeyPattern } from '@annals/subject-keys';
import { z } from 'zod';
import { type ProductName, productNames, products } from '../registry.ts';
import { type LogPlace, logUrlForms, parseLogUrl } from './log-url.ts';
import { maskedUrl } from './masked-url.ts';
import {
  type KeysPlace,
  parseKeysUrl,
  parseStoreUrl,
  type StoreKind,
  type StorePlace,
  storeUrlForms,
} from './store-url.ts';

/** Where everything of a site is. Plain data: it crosses to the projector's thread. */
export interface SiteConfig {
  /** Files of this process and this machine alone lie here, whatever the engines. */
  readonly dataFolder: string;
  /** 64 hex digits; without it a key file is made beside the keys. */
  readonly masterKey: string | undefined;
  readonly log: LogPlace;
  /** Logs and stores of single products; those that are not named share `log` and lie in the data folder. */
  readonly logs: { readonly [product in ProductName]?: LogPlace };
  readonly stores: { readonly [product in ProductName]?: StorePlace };
  /** Where products keep what has become history; without one it stays in their read models. */
  readonly archives: { readonly [product in ProductName]?: StorePlace };
  readonly keys: KeysPlace;
  /** Projectors sign what the logs hold; without it nobody does. */
  readonly digests?: DigestSettings;
}

export interface DigestSettings {
  /** The seed of the key that signs, 64 hex digits: never print it. */
  readonly key: string;
  readonly everyEvents: number;
}

/** A text that `parse` takes; what it refuses is told with the reason. */
function urlField<Place>(parse: (url: string) => Place | BadUrl) {
  return z
    .string()
    .transform((url, context) => {
      const place = parse(url);
      if (!isBad(place)) return place;
      context.addIssue({ code: 'custom', message: place.problem });
      return z.NEVER;
    })
    .optional();
}

type LogField = ReturnType<typeof urlField<LogPlace>>;
type StoreField = ReturnType<typeof urlField<StorePlace>>;
type ProductFields = {
  readonly [product in ProductName as `ANNALS_${Uppercase<product>}_LOG`]: LogField;
} & {
  readonly [product in ProductName as `ANNALS_${Uppercase<product>}_STORE`]: StoreField;
} & {
  readonly [product in ArchivedProduct as `ANNALS_${Uppercase<product>}_ARCHIVE`]: StoreField;
};
type ArchivedProduct = Extract<(typeof products)[number], { readonly archive: object }>['name'];

function archiveField(
  name: ProductName,
  { storeKinds }: { readonly storeKinds: readonly StoreKind[] },
) {
  const forms = storeKinds.map((kind) => storeUrlForms[kind]).join(', ');
  return [
    `ANNALS_${name.toUpperCase()}_ARCHIVE`,
    urlField((url) => parseStoreUrl(url, storeKinds)).describe(
      `Archive that closed periods of the ${name} move to: ${forms}; they stay in its read models unless told.`,
    ),
  ] as const;
}

const productFields = Object.fromEntries(
  products.flatMap(({ name, storeKinds, ...product }) => [
    [
      `ANNALS_${name.toUpperCase()}_LOG`,
      urlField(parseLogUrl).describe(`Log of the ${name}; that of ANNALS_LOG unless told.`),
    ],
    [
      `ANNALS_${name.toUpperCase()}_STORE`,
      urlField((url) => parseStoreUrl(url, storeKinds)).describe(
        `Read models of the ${name}: ${storeKinds.map((kind) => storeUrlForms[kind]).join(', ')}; in ANNALS_DATA unless told.`,
      ),
    ],
    ...('archive' in product ? [archiveField(name, product.archive)] : []),
  ]),
) as unknown as ProductFields;

/** The settings that say where a site is: the same for every program. */
export const siteFields = {
  ANNALS_DATA: z
    .string()
    .min(1, 'must name a folder')
    .default('./data')
    .describe(
      'Folder of log, keys and read models; of replicas and scratch files where those are elsewhere.',
    ),
  ANNALS_LOG: urlField(parseLogUrl).describe(
    `The event log: ${logUrlForms}; sqlite: in ANNALS_DATA unless told.`,
  ),
  ...productFields,
  ANNALS_KEYS: urlField(parseKeysUrl).describe(
    'Keys of personal data: sqlite:FOLDER or cassandra://host:port,…/keyspace?datacenter=…, with ANNALS_MASTER_KEY; in ANNALS_DATA unless told.',
  ),
  ANNALS_MASTER_KEY: z
    .string()
    .regex(masterKeyPattern, 'must be 64 hex digits')
    .optional()
    .describe('Wraps the keys of personal data; without it a key file is made in the data folder.'),
  ANNALS_DIGEST_KEY: z
    .string()
    .regex(digestKeyPattern, 'must be 64 hex digits, as openssl rand -hex 32 makes them')
    .optional()
    .describe(
      'Projectors sign with it what the log holds, for annals log verify; nothing is signed unless told.',
    ),
  ANNALS_DIGEST_EVERY_EVENTS: z
    .string()
    .refine(
      (text) => /^[1-9]\d{0,5}$/.test(text) && Number(text) <= digestLimits.everyEventsMax,
      `must be a whole number, 1 to ${digestLimits.everyEventsMax}`,
    )
    .transform(Number)
    .optional()
    .describe(`Events that one signature is about; ${digestLimits.everyEvents} unless told.`),
} as const;

const siteSchema = z.object(siteFields);
export type SiteSettings = z.output<typeof siteSchema>;

/** What no single setting tells; to be put on the whole schema with `superRefine`. */
export function checkSiteSettings(
  settings: Pick<SiteSettings, 'ANNALS_KEYS' | 'ANNALS_MASTER_KEY'>,
  context: z.RefinementCtx,
): void {
  if (settings.ANNALS_KEYS?.kind !== 'cassandra' || settings.ANNALS_MASTER_KEY) return;
  context.addIssue({
    code: 'custom',
    path: ['ANNALS_MASTER_KEY'],
    message: 'must be set where ANNALS_KEYS is in Cassandra: every process needs the same one',
  });
}

/** The site that the settings describe; all of it in the data folder where they do not say otherwise. */
export function siteConfigOf(settings: SiteSettings): SiteConfig {
  const dataFolder = settings.ANNALS_DATA;
  const embedded = { kind: 'sqlite', url: `sqlite:${dataFolder}`, folder: dataFolder } as const;
  return {
    dataFolder,
    masterKey: settings.ANNALS_MASTER_KEY,
    log: settings.ANNALS_LOG ?? embedded,
    logs: placesOf(settings, 'LOG'),
    stores: placesOf(settings, 'STORE'),
    archives: placesOf(settings, 'ARCHIVE'),
    keys: settings.ANNALS_KEYS ?? embedded,
    ...(settings.ANNALS_DIGEST_KEY === undefined
      ? {}
      : {
          digests: {
            key: settings.ANNALS_DIGEST_KEY,
            everyEvents: settings.ANNALS_DIGEST_EVERY_EVENTS ?? digestLimits.everyEvents,
          },
        }),
  };
}

function placesOf<Setting extends 'LOG' | 'STORE' | 'ARCHIVE'>(
  settings: SiteSettings,
  setting: Setting,
): { readonly [product in ProductName]?: Setting extends 'LOG' ? LogPlace : StorePlace } {
  const set = productNames.flatMap((name) => {
    const place = (settings as { readonly [field: string]: unknown })[
      `ANNALS_${name.toUpperCase()}_${setting}`
    ];
    return place === undefined ? [] : [[name, place]];
  });
  return Object.fromEntries(set);
}

/** Where everything is, for people: what was told apart from the data folder, and no passwords. */
export function shownSite(config: SiteConfig): readonly (readonly [part: string, place: string])[] {
  const embedded = `sqlite:${config.dataFolder}`;
  const parts: [string, string][] = [['log', config.log.url]];
  for (const name of productNames) {
    const { logs, stores, archives } = config;
    if (logs[name]) parts.push([`log of ${name}`, logs[name].url]);
    if (stores[name]) parts.push([`read models of ${name}`, stores[name].url]);
    if (archives[name]) parts.push([`archive of ${name}`, archives[name].url]);
  }
  parts.push(['keys', config.keys.url]);
  const shown = parts
    .filter(([, url]) => url !== embedded)
    .map(([part, url]) => [part, maskedUrl(url)] as const);
  return config.digests
    ? [...shown, ['digests signed with', digestKeyOf(config.digests.key).publicKey]]
    : shown;
}
