import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootPath } from '../../rootfs/path.ts';
import { memoryRoot } from '../../../test/support/memory-root.ts';
import { readProtectedPaths } from './protected.ts';

test('etc is protected; lists add and take away, and cover what lies below', () => {
  const root = memoryRoot({
    'etc/apk/protected_paths.d/a.list': '# comment\n-etc/ssl\n+etc/ssl/keep\nusr/share/*/prot\n@home\n',
    'etc/apk/protected_paths.d/ignored': '-etc\n',
  });
  const paths = readProtectedPaths(root);
  for (const [path, expected] of [
    ['etc', true],
    ['etc/passwd', true],
    ['etc/apk/world', true],
    ['etc/ssl/certs/a', false],
    ['etc/ssl/keep/a', true],
    ['usr/share/lab/prot/f', true],
    ['usr/share/prot/f', false],
    ['home/user/f', true],
    ['usr/bin/f', false],
  ] as const)
    assert.equal(paths.isProtected(rootPath(path)), expected, path);
});
