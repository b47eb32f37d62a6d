export { type EmbeddedOptions, embeddedSite, openEmbedded } from './embedded.ts';
export {
  PaymentsBuildingError,
  type PaymentsReads,
  paymentsReads,
} from './payments/payments-reads.ts';
export {
  checkPaymentsSettings,
  type PaymentsFieldValues,
  type PaymentsSettings,
  type PspPlace,
  paymentsFields,
  paymentsSettingsOf,
  shownPsps,
} from './payments/payments-settings.ts';
export { pspRouting } from './payments/psp-routing.ts';
export {
  placedSettings,
  sandboxAddress,
  sandboxAddressFile,
  sandboxFolder,
} from './payments/sandbox-address.ts';
export {
  type ProductName,
  productNames,
  productOf,
  projectionNamed,
  projections,
  projectionsOf,
} from './registry.ts';
export {
  runSiteProjector,
  type SiteProjector,
  type SiteProjectorOptions,
} from './run-site-projector.ts';
export { catchUpLines } from './site/catch-up-lines.ts';
export { dataLayout } from './site/data-layout.ts';
export { HeldReports } from './site/held-reports.ts';
export { type LogPlace, logUrlForms, parseLogUrl } from './site/log-url.ts';
export { maskedUrl } from './site/masked-url.ts';
export {
  BadLogUrlError,
  kafkaConnectionTo,
  type LogFigures,
  type LogProgress,
  NoDataFolderError,
  type OpenedLog,
  type OpenLogOptions,
  openLogAt,
} from './site/open-log.ts';
export {
  openKeysAt,
  openReadModels,
  openSite,
  type ReadModels,
  type Site,
  type SiteOptions,
} from './site/open-site.ts';
export type { LiveOptions, SiteLive } from './site/open-stores.ts';
export {
  checkSiteSettings,
  type SiteConfig,
  type SiteSettings,
  shownSite,
  siteConfigOf,
  siteFields,
} from './site/site-config.ts';
export { nameOfSite, SiteUnnamedError, siteEvents } from './site/site-name.ts';
export type { KeysPlace, StoreKind, StorePlace } from './site/store-url.ts';
export {
  type ProjectorThread,
  type ProjectorThreadOptions,
  startProjectorThread,
} from './start-projector-thread.ts';
