import { expect, it } from 'vitest';
import { maskedUrl } from './masked-url.ts';

it.each([
  ['kafka://h:9092/t?partitions=8', 'kafka://h:9092/t?partitions=8'],
  ['kafka://ann:secret@h:9092/t', 'kafka://ann:***@h:9092/t'],
  ['redis://:secret@h/1', 'redis://:***@h/1'],
  ['redis://secret@h', 'redis://***@h'],
  ['esdb+discover://ann:secret@h1:1,h2:2?tls=true', 'esdb+discover://ann:***@h1:1,h2:2?tls=true'],
  ['KAFKA://ann:secret@h:9092', 'KAFKA://ann:***@h:9092'],
  ['https://sk_secret@psp.example', 'https://***@psp.example'],
  ['kafka://se/cr:et@h', 'kafka://***@h'],
  ['sqlite:./a@b', 'sqlite:./a@b'],
  ...['/', '?', '#', '@', ':', '@/?#:@', '\n'].map((mark) => [
    `kafka://ann:se${mark}cret@h:9092/t`,
    'kafka://ann:***@h:9092/t',
  ]),
])('%j is shown as %s', (url = '', shown) => {
  expect(maskedUrl(url)).toBe(shown);
});
