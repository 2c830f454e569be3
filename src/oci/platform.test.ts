import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentOf } from '../../test/support/images.ts';
import { OnlayError } from '../errors.ts';
import type { Digest } from './digest.ts';
import { parseDocument, type ImageIndex, type JsonObject } from './manifest.ts';
import { DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from './media-types.ts';
import {
  attestationSubject,
  childKind,
  formatPlatform,
  matchPlatform,
  parsePlatform,
  selectPlatforms,
} from './platform.ts';

const digest = (at: number): Digest => `sha256:${String(at).repeat(64)}` as Digest;

function indexOf(...children: readonly (string | JsonObject)[]): ImageIndex {
  const manifests = children.map((child, at) => ({
    mediaType: OCI_MANIFEST,
    digest: digest(at),
    size: 1,
    ...(typeof child === 'string' ? { platform: platformObject(child) } : child),
  }));
  const parsed = parseDocument(documentOf(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
  assert.equal(parsed.kind, 'index');
  return parsed;
}
function platformObject(text: string): JsonObject {
  const [os, architecture, variant] = text.split('/');
  return { os, architecture, variant };
}

test('parsePlatform() reads what docker --platform takes', () => {
  for (const [text, expected] of [
    ['linux/amd64', 'linux/amd64'],
    ['linux/arm/v7', 'linux/arm/v7'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/7', 'linux/arm/v7'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/aarch64', 'linux/arm64'],
    ['Linux/x86_64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/i386', 'linux/386'],
    ['s390x', 'linux/s390x'],
    ['windows/amd64', 'windows/amd64'],
  ] as const)
    assert.equal(formatPlatform(parsePlatform(text)), expected, text);
  for (const text of ['', 'linux/', '/amd64', 'linux/arm/v7/x', 'linux/a b', 'linux', 'amd46'])
    assert.throws(() => parsePlatform(text), { code: 'REFERENCE_INVALID' }, text);
});

test('matchPlatform() compares variants by meaning', () => {
  const match = (a: string, b: string): boolean => matchPlatform(parsePlatform(a), parsePlatform(b));
  assert.ok(match('linux/arm64', 'linux/arm64/v8'));
  assert.ok(!match('linux/arm/v7', 'linux/arm/v6'));
  assert.ok(!match('linux/amd64', 'windows/amd64'));
  const windows = { os: 'windows', architecture: 'amd64', osVersion: '10.0.17763.1' };
  assert.ok(matchPlatform({ os: 'windows', architecture: 'amd64' }, windows));
  assert.ok(!matchPlatform({ ...windows, osVersion: '10.0.20348.1' }, windows));
});

test('selectPlatforms() keeps the order of the index and takes the first match', () => {
  const index = indexOf('linux/arm/v6', 'linux/amd64', 'linux/arm64/v8', 'linux/amd64');
  const chosen = selectPlatforms(index, [parsePlatform('linux/arm64'), parsePlatform('linux/amd64')]);
  assert.deepEqual(
    chosen.map((child) => child.digest),
    [digest(1), digest(2)],
  );
  assert.equal(selectPlatforms(index).length, 4);
});

test('selectPlatforms() falls back to lower variants, never to higher ones', () => {
  const chosen = (index: ImageIndex, wanted: string): Digest[] =>
    selectPlatforms(index, [parsePlatform(wanted)]).map((child) => child.digest);
  assert.deepEqual(chosen(indexOf('linux/arm/v5', 'linux/arm/v6'), 'linux/arm/v7'), [digest(1)]);
  assert.deepEqual(chosen(indexOf('linux/amd64', 'linux/amd64/v2'), 'linux/amd64/v3'), [digest(1)]);
  assert.deepEqual(chosen(indexOf('linux/amd64'), 'linux/amd64/v2'), [digest(0)]);
  assert.throws(() => chosen(indexOf('linux/arm/v7'), 'linux/arm/v6'), { code: 'PLATFORM_NOT_FOUND' });
  assert.throws(() => chosen(indexOf('linux/amd64/v2'), 'linux/amd64'), { code: 'PLATFORM_NOT_FOUND' });
});

test('a platform that is not there is answered with those that are', () => {
  assert.throws(
    () => selectPlatforms(indexOf('linux/amd64', 'linux/arm/v7'), [parsePlatform('linux/s390x')]),
    (error) =>
      error instanceof OnlayError &&
      error.message === 'The image has no linux/s390x' &&
      error.hint === 'it has linux/amd64, linux/arm/v7',
  );
});

test('attestations, artifacts and nested indexes are not platforms', () => {
  const attestation = {
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': digest(0),
    },
  };
  const index = indexOf(
    'linux/amd64',
    attestation,
    { platform: { os: 'unknown', architecture: 'unknown' } },
    { artifactType: 'application/x' },
    { mediaType: OCI_INDEX },
    { mediaType: 'application/x' },
    { mediaType: DOCKER_MANIFEST, platform: { os: 'linux', architecture: 'arm64' } },
  );
  assert.deepEqual(index.manifests.map(childKind), [
    'image',
    'attestation',
    'attestation',
    'artifact',
    'index',
    'artifact',
    'image',
  ]);
  assert.deepEqual(
    selectPlatforms(index).map((child) => child.digest),
    [digest(0), digest(6)],
  );
  assert.equal(attestationSubject(index.manifests[1]!), digest(0));
  assert.equal(attestationSubject(index.manifests[0]!), undefined);
});
