import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { hasCode } from '../errors.ts';
import { beyondNode, certificatesIn, readAuthorities, readCertificates } from './certificates.ts';
import type { Files } from './files.ts';
import type { Log } from './log.ts';

const [first = '', second = '', third = ''] = rootCertificates;
// as authorities Node does not have: the same bytes would be taken out as its own
const stranger = (pem: string): string => pem.replace('MII', 'MIJ');

function machine(content: Record<string, string>): { files: Files; log: Log; warnings: string[] } {
  const warnings: string[] = [];
  return {
    warnings,
    log: { debug() {}, info() {}, warn: (message) => void warnings.push(message) },
    files: {
      readFile: async (path) => (path in content ? Buffer.from(content[path] ?? '') : undefined),
      readDirectory: async (path) =>
        Object.keys(content).flatMap((file) =>
          file.startsWith(`${path}/`) ? [file.slice(path.length + 1)] : [],
        ),
    },
  };
}

test('certificatesIn() finds certificates between comments, keys and carriage returns', () => {
  const trusted = first.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE');
  const text = `# one\n${first.replaceAll('\n', '\r\n')}\n-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n${trusted}`;
  assert.deepEqual(
    certificatesIn(Buffer.from(text)).map((pem) => pem.trim()),
    [first.trim(), trusted.trim()],
  );
  assert.deepEqual(certificatesIn(Buffer.from('-----BEGIN CERTIFICATE-----\nAA\n')), []);
});

test('beyondNode() leaves out what Node trusts, however its lines are broken, and what was there already', () => {
  const wide = first
    .replaceAll('\n', '')
    .replace(/(-----BEGIN CERTIFICATE-----)(.*)(-----END.*)/, '$1\n$2\n$3');
  const own = stranger(second);
  assert.deepEqual(beyondNode([wide, own, second, own]), [own]);
});

test('readAuthorities() takes the first bundle, or SSL_CERT_FILE instead, and everything that is named besides', async () => {
  const { files, log, warnings } = machine({
    '/etc/ssl/cert.pem': third,
    '/etc/pki/tls/certs/ca-bundle.crt': first,
    '/mine.pem': second,
    '/dir/a.pem': third,
    '/dir/a.key': first,
  });
  const read = (variables: Record<string, string>, caFiles: readonly string[] = []) =>
    readAuthorities({ variables, files, caFiles, log });
  assert.deepEqual(await read({}), [first]);
  assert.deepEqual(await read({ SSL_CERT_FILE: '/mine.pem' }), [second]);
  assert.deepEqual(await read({ SSL_CERT_DIR: '/none:/dir' }, ['/mine.pem']), [first, third, second]);
  assert.deepEqual(await read({ NODE_EXTRA_CA_CERTS: '/mine.pem' }), [first, second]);
  assert.deepEqual(warnings, []);
  assert.deepEqual(await read({ SSL_CERT_FILE: '/none', NODE_EXTRA_CA_CERTS: '/none' }), []);
  assert.deepEqual(warnings, ['SSL_CERT_FILE does not exist', 'NODE_EXTRA_CA_CERTS does not exist']);
});

test('readCertificates() refuses a file that is absent, empty or broken', async () => {
  const broken = first.replace(/\nMII./, '\n!!!!');
  const { files } = machine({ '/text': 'text', '/broken': `${second}\n${broken}`, '/good': second });
  assert.deepEqual(await readCertificates('/good', files), [second]);
  for (const path of ['/absent', '/text', '/broken'])
    await assert.rejects(
      readCertificates(path, files),
      (error) => hasCode(error, 'CONFIG_INVALID') && error.message.includes(path),
      path,
    );
});
