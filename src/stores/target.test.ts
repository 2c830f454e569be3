import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../errors.ts';
import { formatTarget, nameOf, parseTransport, pointOf, type Target } from './target.ts';

const HEX = 'ab'.repeat(32);
const plain = (target: Target): object =>
  target.kind === 'registry' ? { kind: 'registry', reference: String(target.reference) } : target;

const rows: readonly [text: string, expected: object, point: object, name: string | undefined][] = [
  ['nginx:1.27', { kind: 'registry', reference: 'docker.io/library/nginx:1.27' }, { tag: '1.27' }, '1.27'],
  ['nginx', { kind: 'registry', reference: 'docker.io/library/nginx' }, { tag: 'latest' }, undefined],
  ['docker://host:5000/a/b:t', { kind: 'registry', reference: 'host:5000/a/b:t' }, { tag: 't' }, 't'],
  [
    `a:t@sha256:${HEX}`,
    { kind: 'registry', reference: `docker.io/library/a:t@sha256:${HEX}` },
    { digest: `sha256:${HEX}` },
    't',
  ],
  ['oci', { kind: 'registry', reference: 'docker.io/library/oci' }, { tag: 'latest' }, undefined],
  ['podman/stable:v5', { kind: 'registry', reference: 'docker.io/podman/stable:v5' }, { tag: 'v5' }, 'v5'],
  ['oci:dir', { kind: 'layout', directory: 'dir' }, {}, undefined],
  ['oci:/a/b:1.0', { kind: 'layout', directory: '/a/b', tag: '1.0' }, { tag: '1.0' }, '1.0'],
  [
    'oci:./d:docker.io/a:1',
    { kind: 'layout', directory: './d', tag: 'docker.io/a:1' },
    { tag: 'docker.io/a:1' },
    'docker.io/a:1',
  ],
  [
    `oci:dir@sha256:${HEX}`,
    { kind: 'layout', directory: 'dir', digest: `sha256:${HEX}` },
    { digest: `sha256:${HEX}` },
    undefined,
  ],
  ['oci-archive:f.tar', { kind: 'archive', format: 'oci', file: 'f.tar' }, {}, undefined],
  ['oci-archive:f.tar:x', { kind: 'archive', format: 'oci', file: 'f.tar', image: 'x' }, { tag: 'x' }, 'x'],
  ['docker-archive:/t/f.tar', { kind: 'archive', format: 'docker', file: '/t/f.tar' }, {}, undefined],
  [
    'docker-archive:f.tar:nginx',
    { kind: 'archive', format: 'docker', file: 'f.tar', image: 'nginx:latest' },
    { tag: 'nginx:latest' },
    'nginx:latest',
  ],
  [
    'docker-archive:f.tar:host:5000/a:1',
    { kind: 'archive', format: 'docker', file: 'f.tar', image: 'host:5000/a:1' },
    { tag: 'host:5000/a:1' },
    'host:5000/a:1',
  ],
  ['-', { kind: 'stream', format: 'docker' }, {}, undefined],
  ['docker-archive:-:a/b:1', { kind: 'stream', format: 'docker', image: 'a/b:1' }, { tag: 'a/b:1' }, 'a/b:1'],
  ['docker-daemon:nginx', { kind: 'daemon', program: 'docker', image: 'nginx' }, {}, 'nginx:latest'],
  [
    'podman:localhost/a:1',
    { kind: 'daemon', program: 'podman', image: 'localhost/a:1' },
    {},
    'localhost/a:1',
  ],
  [
    'docker-daemon:0123456789ab',
    { kind: 'daemon', program: 'docker', image: '0123456789ab' },
    {},
    '0123456789ab:latest',
  ],
];
for (const [text, expected, point, name] of rows)
  test(`parseTransport() reads ${text}`, () => {
    const target = parseTransport(text);
    assert.deepEqual(plain(target), expected);
    assert.deepEqual(pointOf(target), point);
    assert.equal(nameOf(target), name);
    assert.deepEqual(plain(parseTransport(formatTarget(target))), expected, 'formatTarget() is its inverse');
  });

const refused: readonly [text: string, why: RegExp, hint: RegExp][] = [
  ['oci:', /names no file/, /oci:DIR/],
  ['oci::tag', /names no file/, /oci:DIR/],
  ['oci:dir:', /nothing follows/, /TAG/],
  ['oci:dir@sha256:abc', /is no digest/, /64/],
  ['oci-archive:', /names no file/, /FILE/],
  ['docker-archive:f:Foo', /capital letters/, /lowercase/],
  ['docker-daemon://nginx', /like a URL/, /slashes/],
  ['docker-daemon:', /empty/, /^$/],
  ['podman:--help', /cannot be part/, /./],
  ['docker-daemon:$(id)', /cannot be part/, /./],
  ['dir:/tmp/x', /dir: is not supported/, /oci:DIR:TAG/],
  ['containers-storage:a/b', /not supported/, /podman:NAME/],
  ['https://host/a', /starts with/, /leave/],
  ['./image', /file name/, /oci:DIR/],
];
for (const [text, why, hint] of refused)
  test(`parseTransport() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => parseTransport(text),
      (error) => {
        assert.ok(hasCode(error, 'REFERENCE_INVALID'));
        assert.match(error.message, why);
        assert.match(error.hint ?? '', hint);
        return true;
      },
    );
  });
