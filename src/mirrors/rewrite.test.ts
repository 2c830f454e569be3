import { test } from 'node:test';
import assert from 'node:assert/strict';
import { parseMirrors, rewriteUrl } from './rewrite.ts';

const rules = parseMirrors([
  'http://ftp.debian.org/debian=https://mirror.corp/deb',
  'http://ftp.debian.org/debian/dists/special=/srv/special',
  'http://Ftp.Debian.org:80/debian-security/=file:///srv/security/',
  'ports.example=http://127.0.0.1:8080/',
  'file:/opt/repo=/host/repo',
]);
const rewritten = (url: string): string => {
  const target = rewriteUrl(url, rules);
  return target.kind === 'url' ? target.url : `${target.directory}|${target.rest}`;
};

test('rewriteUrl() replaces the longest prefix that ends at a path boundary', () => {
  for (const [url, expected] of [
    [
      'http://ftp.debian.org/debian/dists/bookworm/InRelease',
      'https://mirror.corp/deb/dists/bookworm/InRelease',
    ],
    ['http://ftp.debian.org//debian/x', 'http://ftp.debian.org//debian/x'],
    ['http://FTP.debian.org:80/debian//pool/a', 'https://mirror.corp/deb/pool/a'],
    ['http://ftp.debian.org/debian/dists/special/InRelease', '/srv/special|InRelease'],
    ['http://ftp.debian.org/debian-security/dists/x', 'file:///srv/security/|dists/x'],
    ['http://ftp.debian.org/debian-ports/x', 'http://ftp.debian.org/debian-ports/x'],
    ['https://ftp.debian.org/debian/x', 'https://ftp.debian.org/debian/x'],
    ['https://ports.example/a', 'http://127.0.0.1:8080/a'],
    ['http://user:secret@ports.example/a', 'http://127.0.0.1:8080/a'],
    ['http://ports.example.evil/a', 'http://ports.example.evil/a'],
    ['file:///opt/repo/dists/x', '/host/repo|dists/x'],
    ['file:/opt/repo/dists/x', '/host/repo|dists/x'],
  ] as const)
    assert.equal(rewritten(url), expected, url);
});

test('parseMirrors() refuses what is no rule', () => {
  for (const rule of ['http://a', '=http://b', 'http://a=', 'http://a=ftp://b'])
    assert.throws(() => parseMirrors([rule]), /Invalid mirror rule/);
});
