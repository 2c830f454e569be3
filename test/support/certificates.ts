// Certificates for tests, made with openssl: an authority, and what it signs.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Signed {
  readonly certificate: string;
  readonly key: string;
}

export interface Authority extends Disposable {
  /** Directory with ca.crt and whatever a test adds; removed at the end. */
  readonly directory: string;
  readonly certificate: string;
  readonly certificatePath: string;
  /** A certificate for hosts and addresses: "DNS:localhost,IP:127.0.0.1". */
  sign(names: string): Signed;
}

export function hasOpenssl(): boolean {
  return !spawnSync('openssl', ['version'], { stdio: 'ignore' }).error;
}

export function createAuthority(): Authority {
  const directory = mkdtempSync(join(tmpdir(), 'onlay-certificates-'));
  const path = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
  );
  let count = 0;
  return {
    directory,
    certificate: readFileSync(path('ca.crt'), 'utf8'),
    certificatePath: path('ca.crt'),
    sign(names) {
      const name = `signed-${++count}`;
      writeFileSync(path(`${name}.ext`), `subjectAltName=${names}\n`);
      openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
      const authority = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'];
      const signing = ['x509', '-req', '-in', `${name}.csr`, ...authority, '-days', '2'];
      openssl(...signing, '-extfile', `${name}.ext`, '-out', `${name}.pem`);
      return {
        certificate: readFileSync(path(`${name}.pem`), 'utf8'),
        key: readFileSync(path(`${name}.key`), 'utf8'),
      };
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}
