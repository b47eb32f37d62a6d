export { type Config, configSchema } from './config.ts';
export { type Platform, startPlatform } from './start.ts';
