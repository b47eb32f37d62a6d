/** Small disks, for tests of what keeps files. */
export { mountProblem, mountSmallDisk } from './mount.ts';
export { testNeeding } from './needs.ts';
