import { memoryEventLog } from '@annals/event-log';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { describe, expect, test } from 'vitest';
import {
  evidenceFileCategory,
  evidenceFileStoreLimits,
  keepEvidenceFiles,
  readEvidenceFile,
} from './evidence-files.ts';
import { type EvidenceFile, evidenceFileLimits, evidenceFileType } from './psp/evidence.ts';

const request = { checkoutId: 'c-1', requestId: 'r-1', at: 1_000 };

function pdf(size: number, field: EvidenceFile['field'] = 'receipt'): EvidenceFile {
  const bytes = Uint8Array.from({ length: size }, (_, at) => (at * 7 + (at >> 8)) % 256);
  bytes.set(Buffer.from('%PDF-1.7'));
  return { field, type: 'application/pdf', bytes };
}

function opened() {
  const log = memoryEventLog();
  const keys = memorySubjectKeyStore();
  const means = { log, cipher: subjectCipher(keys) };
  const kept = async (...files: readonly EvidenceFile[]) => {
    const result = await keepEvidenceFiles(means, request, files);
    if (result.kind !== 'kept') throw new Error(result.detail);
    return result.files;
  };
  const stored = async () =>
    (await log.read('start', { categories: [evidenceFileCategory] })).events;
  return { means, keys, kept, stored };
}

describe('files of evidence', () => {
  test.each([
    9,
    evidenceFileStoreLimits.partBytes,
    evidenceFileStoreLimits.partBytes + 1,
    evidenceFileLimits.bytesMax,
  ])('of %i bytes come out of the log as they went in', async (size) => {
    const { means, kept, stored } = opened();
    const file = pdf(size);
    const [name] = await kept(file);
    if (!name) throw new Error('no file');
    const read = await readEvidenceFile(means, name);
    expect(Buffer.compare(read?.bytes ?? Buffer.alloc(0), Buffer.from(file.bytes))).toBe(0);
    expect(read).toMatchObject({ field: 'receipt', type: 'application/pdf' });
    expect(await stored()).toHaveLength(Math.ceil(size / evidenceFileStoreLimits.partBytes));
  });

  test('of one request are stored once, and each has a stream of its own', async () => {
    const { kept, stored } = opened();
    const files = [pdf(300_000), pdf(500_000, 'shipping_documentation')];
    const first = await kept(...files);
    const before = await stored();
    expect(await kept(...files)).toEqual(first);
    expect(await stored()).toEqual(before);
    expect(new Set(before.map(({ stream }) => stream)).size).toBe(2);
  });

  test('are sealed, and gone with their buyer', async () => {
    const { means, keys, kept, stored } = opened();
    const file = pdf(1_000);
    const [name] = await kept(file);
    if (!name) throw new Error('no file');
    const [part] = await stored();
    expect(JSON.parse(part?.data ?? '{}')).toMatchObject({ $personal: { subject: 'buyer:c-1' } });
    expect(part?.data).not.toContain(Buffer.from(file.bytes).toString('base64').slice(0, 40));
    await keys.destroy(['buyer:c-1']);
    expect(await readEvidenceFile(means, name)).toBeUndefined();
    expect(await keepEvidenceFiles(means, request, [file])).toMatchObject({
      ...{ kind: 'refused', reason: 'subject-erased' },
    });
  });

  test('that are not all there are not taken for whole', async () => {
    const { means, kept } = opened();
    const [name] = await kept(pdf(1_000));
    if (!name) throw new Error('no file');
    await expect(readEvidenceFile(means, { ...name, bytes: 1_001 })).rejects.toThrow(/1000 bytes/);
    await expect(readEvidenceFile(means, { ...name, fileId: 'none' })).rejects.toThrow(/0 bytes/);
  });
});

test('a file is what its first bytes say', () => {
  const type = (...bytes: readonly number[]) => evidenceFileType(Uint8Array.from(bytes));
  expect(evidenceFileType(Buffer.from('%PDF-1.4'))).toBe('application/pdf');
  expect(type(0xff, 0xd8, 0xff, 0xe0)).toBe('image/jpeg');
  expect(type(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)).toBe('image/png');
  expect(evidenceFileType(Buffer.from('<html>%PDF-1.4'))).toBeUndefined();
  expect(type(0x89, 0x50, 0x4e, 0x47)).toBeUndefined();
  expect(type()).toBeUndefined();
});
