import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../../errors.ts';
import { readFixes } from './updateinfo.ts';

const advisory = (cves: readonly string[], packages: readonly string[]): string =>
  `<update from="x" status="final" type="security" version="2"><id>A</id><issued date="2024-01-01"/><references>` +
  cves.map((cve) => `<reference href="https://x/${cve}" id="${cve}" type="cve" title="${cve}"/>`).join('') +
  `<reference href="https://x/1" id="1" type="bugzilla" title="a &gt; b"/></references><pkglist><collection><name>c</name>` +
  packages
    .map(
      (name) =>
        `<package name="${name}" version="2" release="3.el9" epoch="1" arch="x86_64" src="${name}.src.rpm">`,
    )
    .map((open) => `${open}<filename>f</filename></package>`)
    .join('') +
  `</collection></pkglist></update>\n`;

const DOCUMENT =
  '<?xml version="1.0"?><updates>' +
  advisory(['CVE-2024-0001', 'CVE-2024-00022'], ['openssl', 'openssl-libs', 'libstdc++']) +
  advisory([], ['openssl']) +
  advisory(['CVE-2023-9999'], ['other']) +
  advisory(['CVE-2025-1111'], ['libstdc++']) +
  '</updates>';

async function* inPieces(size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(DOCUMENT);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test('readFixes() finds what advisories say of packages, however the stream is cut', async () => {
  for (const size of [1, 7, 100, 100_000]) {
    const fixes = await readFixes(inPieces(size), new Set(['openssl', 'libstdc++']), 'x');
    const evr = { epoch: 1, version: '2', release: '3.el9' };
    const first = { arch: 'x86_64', evr, cves: ['CVE-2024-0001', 'CVE-2024-00022'] };
    assert.deepEqual(
      [...fixes],
      [
        ['openssl', [first]],
        ['libstdc++', [first, { ...first, cves: ['CVE-2025-1111'] }]],
      ],
      `pieces of ${size}`,
    );
  }
});

test('readFixes() gives up on an advisory without end', async () => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) yield Buffer.alloc(1024 ** 2, 0x61);
  }
  await assert.rejects(readFixes(endless(), new Set(), 'x'), (error) => hasCode(error, 'INDEX_INVALID'));
});
