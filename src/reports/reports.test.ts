import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OnlayError } from '../errors.ts';
import { mismatch, parseReport } from './index.ts';
import type { ReportSubject } from './index.ts';

const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const DIFF = `sha256:${'a'.repeat(64)}`;

const trivy = (more: object = {}): object => ({
  SchemaVersion: 2,
  ArtifactName: 'web',
  ArtifactType: 'container_image',
  Metadata: {
    OS: { Family: 'debian', Name: '12.5' },
    DiffIDs: [DIFF],
    ImageConfig: { architecture: 'amd64' },
  },
  Results: [
    {
      Class: 'os-pkgs',
      Type: 'debian',
      Vulnerabilities: [
        {
          VulnerabilityID: 'CVE-2026-1',
          PkgName: 'libssl3',
          PkgIdentifier: { PURL: 'pkg:deb/debian/libssl3@3.0.1?arch=amd64&distro=debian-12.5' },
          InstalledVersion: '3.0.1',
          FixedVersion: '3.0.2, 3.1.0',
          Severity: 'HIGH',
        },
      ],
    },
    { Class: 'lang-pkgs', Type: 'python-pkg', Vulnerabilities: [{ VulnerabilityID: 'X', PkgName: 'flask' }] },
  ],
  ...more,
});

const code = (error: unknown): string => (error instanceof OnlayError ? error.code : String(error));
const codeOf = (input: Uint8Array): string => {
  try {
    parseReport(input, 'r.json');
    return 'accepted';
  } catch (error) {
    return code(error);
  }
};

test('parseReport() reads system packages of a Trivy report and counts the others', () => {
  const report = parseReport(bytes(trivy()), 'r.json');
  assert.deepEqual(report.findings, [
    {
      id: 'CVE-2026-1',
      name: 'libssl3',
      match: 'binary',
      arch: 'amd64',
      installed: '3.0.1',
      fixed: ['3.0.2', '3.1.0'],
      severity: 'HIGH',
    },
  ]);
  assert.equal(report.languageFindings, 1);
  assert.deepEqual(report.os, { family: 'debian', version: '12.5' });
});

test('parseReport() takes a Trivy report without results as clean', () => {
  assert.deepEqual(parseReport(bytes(trivy({ Results: undefined })), 'r.json').findings, []);
});

test("parseReport() reads copa's update manifests", () => {
  const document = {
    apiVersion: 'v1alpha1',
    metadata: { os: { type: 'alpine', version: '3.19' }, config: { arch: 'amd64' } },
    updates: [{ name: 'zlib', installedVersion: '1', fixedVersion: '2', vulnerabilityID: 'CVE-1' }],
  };
  const [finding] = parseReport(bytes(document), 'c.json').findings;
  assert.deepEqual(finding, { id: 'CVE-1', name: 'zlib', match: 'binary', installed: '1', fixed: ['2'] });
});

for (const [what, input, expected] of [
  ['text that is not JSON', Buffer.from('CVE-1 libssl3'), 'REPORT_INVALID'],
  ['an empty file', Buffer.from(''), 'REPORT_INVALID'],
  ['UTF-16', Buffer.from('\ufeff{}', 'utf16le'), 'REPORT_INVALID'],
  ['an empty object', bytes({}), 'REPORT_UNSUPPORTED'],
  ['an array', bytes([trivy()]), 'REPORT_UNSUPPORTED'],
  ['a Trivy report of another schema', bytes(trivy({ SchemaVersion: 1 })), 'REPORT_UNSUPPORTED'],
  ['a Trivy report about a file system', bytes(trivy({ ArtifactType: 'filesystem' })), 'REPORT_UNSUPPORTED'],
  [
    'a finding without a name',
    bytes(trivy({ Results: [{ Class: 'os-pkgs', Vulnerabilities: [{}] }] })),
    'REPORT_INVALID',
  ],
  ['a copa manifest of a later version', bytes({ apiVersion: 'v9', updates: [] }), 'REPORT_UNSUPPORTED'],
] as const)
  test(`parseReport() refuses ${what} with ${expected}`, () => assert.equal(codeOf(input), expected));

test('parseReport() accepts a byte order mark', () => {
  assert.equal(codeOf(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes(trivy())])), 'accepted');
});

test('a report with __proto__ keys pollutes nothing', () => {
  const text =
    '{"SchemaVersion":2,"Results":[],"__proto__":{"polluted":1},"Metadata":{"__proto__":{"OS":{"Family":"x"}}}}';
  const report = parseReport(Buffer.from(text), 'r.json');
  assert.equal(report.os, undefined);
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

const subject: ReportSubject = {
  diffIds: [DIFF],
  configDigest: 'sha256:c',
  manifestDigests: ['sha256:m'],
  architecture: 'amd64',
  distroIds: ['debian'],
};

test('mismatch() compares layers first, then platform and distro', () => {
  const report = parseReport(bytes(trivy()), 'r.json');
  assert.equal(mismatch(report, subject), undefined);
  assert.match(mismatch(report, { ...subject, diffIds: [] }) ?? '', /layers/);
  assert.match(mismatch(report, { ...subject, architecture: 'arm64' }) ?? '', /amd64/);
  assert.match(mismatch(report, { ...subject, distroIds: ['alpine'] }) ?? '', /debian/);
});

test('mismatch() lets a report pass that does not say what it is about', () => {
  const report = parseReport(bytes(trivy({ Metadata: {} })), 'r.json');
  assert.equal(mismatch(report, subject), undefined);
});
