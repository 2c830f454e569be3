import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OnlayError } from '../errors.ts';
import { digestOf } from '../oci/digest.ts';
import { makeDescriptor, parseDescriptor } from '../oci/manifest.ts';
import { findNamed, nameAnnotations, namesOf, repoTag, type Named } from './image-names.ts';

const entry = (name: string, ...names: readonly string[]): Named => ({
  descriptor: makeDescriptor('a/b', digestOf(Buffer.from(name)), 1),
  names,
});
const images = [
  entry('one', 'docker.io/library/nginx:latest', 'latest'),
  entry('two', 'host.example/a:1.0'),
  entry('three', '2.0'),
];

test('findNamed() finds an image under any spelling of its name', () => {
  const rows: readonly [wanted: string, index: number][] = [
    ['latest', 0],
    ['nginx', 0],
    ['nginx:latest', 0],
    ['docker.io/nginx', 0],
    ['host.example/a:1.0', 1],
    ['1.0', 1],
    ['2.0', 2],
  ];
  for (const [wanted, index] of rows) assert.equal(findNamed(images, wanted, 'x'), images[index], wanted);
});

test('findNamed() lists the names there are when it finds none', () => {
  for (const wanted of ['3.0', 'nginx:1', 'host.example/a', 'a:1.0', 'not a name'])
    assert.throws(
      () => findNamed(images, wanted, 'oci:d'),
      (error) =>
        error instanceof OnlayError &&
        error.code === 'IMAGE_NOT_FOUND' &&
        error.hint === 'it has docker.io/library/nginx:latest, host.example/a:1.0, 2.0',
    );
});

test('without a name the only image is meant, else "latest"', () => {
  assert.equal(findNamed(images, undefined, 'x'), images[0]);
  assert.equal(findNamed([images[2]!], undefined, 'x'), images[2]);
  assert.equal(
    findNamed([entry('one', 'a'), entry('one', 'b')], undefined, 'x').names[0],
    'a',
    'one image, two names',
  );
  assert.throws(() => findNamed(images.slice(1), undefined, 'x'), {
    message: /2 images and none was chosen/,
  });
  assert.throws(() => findNamed([], undefined, 'x'), { code: 'IMAGE_NOT_FOUND' });
});

test('a tag that several images have is not guessed', () => {
  const twins = [entry('one', 'a/x:1'), entry('two', 'b/x:1')];
  assert.throws(() => findNamed(twins, '1', 'x'), { code: 'IMAGE_NOT_FOUND' });
});

test('nameAnnotations() writes what namesOf() reads', () => {
  assert.deepEqual(nameAnnotations('1.0', 'oci'), { 'org.opencontainers.image.ref.name': '1.0' });
  assert.deepEqual(nameAnnotations('1.0', 'docker'), { 'org.opencontainers.image.ref.name': '1.0' });
  assert.deepEqual(nameAnnotations('nginx:1', 'docker'), {
    'io.containerd.image.name': 'docker.io/library/nginx:1',
    'org.opencontainers.image.ref.name': '1',
  });
  assert.deepEqual(nameAnnotations('nginx:1', 'oci'), {
    'io.containerd.image.name': 'docker.io/library/nginx:1',
    'org.opencontainers.image.ref.name': 'nginx:1',
  });
  const { raw } = makeDescriptor('a/b', digestOf(Buffer.from('x')), 1, {
    annotations: nameAnnotations('nginx:1', 'docker'),
  });
  assert.deepEqual(namesOf(parseDescriptor(raw, 'x')), ['docker.io/library/nginx:1', '1']);
  for (const name of ['', 'a b', '../x', 'Ü'])
    assert.throws(() => nameAnnotations(name, 'oci'), { code: 'REFERENCE_INVALID' });
});

test('repoTag() is the name that docker shows', () => {
  assert.equal(repoTag('docker.io/library/nginx:1'), 'nginx:1');
  assert.equal(repoTag('host.example/a:1'), 'host.example/a:1');
  assert.equal(repoTag('1.0'), undefined);
  assert.equal(repoTag(`a@sha256:${'a'.repeat(64)}`), undefined, 'no tag is made up for a digest');
});
