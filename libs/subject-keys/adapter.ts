/** For stores in packages of their own: the checks of arguments, and the wrapping of keys under the master key. */
export { checkedBatch, checkedPageLimit } from './batch.ts';
export { KeyWrapping } from './key-wrapping.ts';
