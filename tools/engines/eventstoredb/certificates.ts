import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Where a node keeps its certificate, and that of the authority that signed it, which clients are to trust. */
export function certificateFiles(folder: string) {
  const file = (name: string): string => join(folder, 'certificates', name);
  return { authority: file('ca.crt'), certificate: file('node.crt'), key: file('node.key') };
}

export function readCertificate(folder: string) {
  const { certificate, key } = certificateFiles(folder);
  return { certificate: readFileSync(certificate), key: readFileSync(key) };
}

const validDays = '3650';

/** Makes an authority and a certificate for 127.0.0.1, unless the folder has them. Whole or not at all. */
export function makeCertificates(openssl: string, folder: string): void {
  const place = join(folder, 'certificates');
  if (existsSync(place)) return;
  const part = `${place}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part);
  const request = (...more: readonly string[]): void => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const args = ['req', '-x509', ...key, '-days', validDays, ...more];
    execFileSync(openssl, args, { cwd: part, stdio: 'pipe' });
  };
  request('-subj', '/CN=annals engines CA', '-keyout', 'ca.key', '-out', 'ca.crt');
  request(
    ...['-subj', '/CN=eventstoredb', '-keyout', 'node.key', '-out', 'node.crt'],
    ...['-CA', 'ca.crt', '-CAkey', 'ca.key'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
    ...['-addext', 'basicConstraints=critical,CA:FALSE'],
  );
  renameSync(part, place);
}
