import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IMMUTABLE_TAG, quirkOf, quirks } from './quirks.ts';

test('quirkOf() knows a registry by its whole host name', () => {
  const rows: [host: string, name: string | undefined][] = [
    ['registry-1.docker.io', 'Docker Hub'],
    ['123456789012.dkr.ecr.eu-central-1.amazonaws.com', 'Amazon ECR'],
    ['team.azurecr.io', 'Azure'],
    ['europe-docker.pkg.dev', 'Google'],
    ['eu.gcr.io', 'Google'],
    ['quay.io', 'Quay'],
    ['evil-docker.io', undefined],
    ['registry-1.docker.io.evil.example', undefined],
    ['azurecr.io', undefined],
    ['notghcr.io', undefined],
  ];
  for (const [host, name] of rows) assert.equal(quirkOf(host)?.name, name, host);
});

test('no host belongs to two quirks', () => {
  const hosts = quirks.flatMap((quirk) => quirk.hosts);
  assert.deepEqual(hosts, [...new Set(hosts)]);
});

test('IMMUTABLE_TAG knows how registries say it, and not every refusal', () => {
  for (const text of [
    // worded as in the documentation and issues of Harbor, ECR and GitLab
    "Failed to process request due to 'app:1' configured as immutable.",
    "The image tag '1' already exists in the 'app' repository and cannot be overwritten because the tag is immutable.",
    'the tag "1" is protected',
    'overwrite is not allowed',
    'Tag 1 cannot be updated',
  ])
    assert.match(text, IMMUTABLE_TAG);
  for (const text of ['requested access to the resource is denied', 'manifest invalid', 'unauthorized'])
    assert.doesNotMatch(text, IMMUTABLE_TAG);
});
