export { type Config, configSchema } from './config.ts';
export { type Platform, type PlatformOptions, startPlatform } from './start.ts';
