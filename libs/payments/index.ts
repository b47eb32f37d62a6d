export * from './psp/port.ts';
