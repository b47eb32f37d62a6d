/** For tests of other packages: a record format that does not exist yet. */
export { recordFormats as formatsWithSecond } from './two-formats.ts';
