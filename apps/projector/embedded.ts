import type { Clock } from '@annals/core';
import { openSite, type Site } from './site/open-site.ts';
import { type SiteConfig, siteConfigOf } from './site/site-config.ts';

export interface EmbeddedOptions {
  readonly dataFolder: string;
  /** 64 hex digits (`ANNALS_MASTER_KEY`); without it a key file is made in the data folder. */
  readonly masterKey?: string | undefined;
  /** Refuses a folder that holds no log, instead of making one. */
  readonly mustExist?: boolean;
  readonly clock?: Clock;
}

/** The site that is in one data folder whole: what a program runs on where nothing is configured. */
export function embeddedSite(dataFolder: string, masterKey?: string): SiteConfig {
  return siteConfigOf({ ANNALS_DATA: dataFolder, ANNALS_MASTER_KEY: masterKey });
}

/** Opens the embedded platform of one data folder. Any number of processes may have it open. */
export function openEmbedded(options: EmbeddedOptions): Promise<Site> {
  const { dataFolder, masterKey, ...rest } = options;
  return openSite(embeddedSite(dataFolder, masterKey), rest);
}
