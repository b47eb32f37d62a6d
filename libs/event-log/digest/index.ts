export { DigestCheck, type DigestsChecked } from './check.ts';
export { digestCategory, digestEvents, digestStream, type LogDigest } from './events.ts';
export { DigestKeeper, type DigestKeeperOptions, digestLimits, digestsOf } from './keeper.ts';
export { type DigestKey, digestKeyOf, digestKeyPattern } from './signing.ts';
