// A real Debian image through a real registry: pushed by skopeo, patched with --push, pulled back by skopeo, unpacked by
// umoci, its programs run in a chroot; anonymously and with htpasswd. The registry's own log says what was uploaded.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { requirePrograms } from '../support/debian-tools.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { onlay } from '../support/onlay.ts';
import { needCase, oracleFolder as out } from '../support/oracle-case.ts';

const CASE = 'bookworm-slim';
const PASSWORD = 'open sesame';

for (const access of ['anonymous', 'htpasswd'] as const) {
  test(`a real image goes through docker-registry and back (${access})`, { timeout: 600_000 }, async (t) => {
    const reason = needCase('debian', CASE) ?? requirePrograms('docker-registry', 'htpasswd');
    if (reason !== undefined) return t.skip(reason);
    const htpasswd = access === 'htpasswd' ? run('htpasswd', '-nbB', 'alice', PASSWORD) : undefined;
    const started = await startDockerRegistry(htpasswd === undefined ? {} : { htpasswd });
    if (!started.registry) return t.skip(started.reason);
    await using registry = started.registry;
    const work = mkdtempSync(join(tmpdir(), 'onlay-round-trip-'));
    try {
      const authfile = join(work, 'auth.json');
      const auth = Buffer.from(`alice:${PASSWORD}`).toString('base64');
      writeFileSync(
        authfile,
        JSON.stringify({ auths: htpasswd === undefined ? {} : { [registry.host]: { auth } } }),
      );
      const image = `${registry.host}/debian/slim`;
      run(
        'skopeo',
        'copy',
        '-q',
        '--authfile',
        authfile,
        '--dest-tls-verify=false',
        `oci:${join(out, CASE, 'base')}:base`,
        `docker://${image}:base`,
      );
      const before = readFileSync(registry.logPath, 'utf8').length;

      const patched = await onlay([
        'patch',
        '-i',
        `${image}:base`,
        '-t',
        'patched',
        '--push',
        '--json',
        '--authfile',
        authfile,
      ]);
      assert.equal(patched.status, 0, patched.stderr);
      const log = readFileSync(registry.logPath, 'utf8').slice(before);
      const uploads = log
        .split('\n')
        .filter((line) => line.includes('response completed') && /http\.request\.method=PUT/.test(line));
      assert.equal(uploads.length, 3, `layer, config, manifest:\n${uploads.join('\n')}`);
      assert.equal(uploads.filter((line) => line.includes('/manifests/patched')).length, 1);

      run(
        'skopeo',
        'copy',
        '-q',
        '--authfile',
        authfile,
        '--src-tls-verify=false',
        `docker://${image}:patched`,
        `oci:${work}/back:patched`,
      );
      run('umoci', 'unpack', '--image', `${work}/back:patched`, `${work}/bundle`);
      const root = join(work, 'bundle', 'rootfs');
      for (const command of [
        ['/usr/bin/dpkg', '--audit'],
        ['/usr/bin/apt-get', '--version'],
        ['/usr/bin/perl', '-e', 'print "perl runs\\n"'],
        ['/bin/sh', '-c', 'ls / | sort | head -n 3 && grep -c . /etc/passwd'],
        ['/usr/bin/tar', '--version'],
      ]) {
        const ran = spawnSync('chroot', [root, ...command], { encoding: 'utf8' });
        assert.equal(ran.status, 0, `${command.join(' ')}: ${ran.stderr}`);
      }
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  });
}
