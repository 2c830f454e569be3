// After patching, the real dpkg and apt of the image go on as if they had done it themselves: consistency checks pass,
// a real upgrade finds nothing, and another package installs and is removed, maintainer scripts included.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { onlay } from '../support/onlay.ts';
import { needCase, oracleFolder as out } from '../support/oracle-case.ts';

/** Runs in the tree with network, /proc and /dev; the mounts are private and gone at the end. */
const IN_ROOT = `
mount -t proc proc "$root/proc"; mount --rbind /dev "$root/dev"; mount -t tmpfs tmpfs "$root/run"; mount -t tmpfs tmpfs "$root/tmp"
for f in resolv.conf hosts; do mount --bind "$(readlink -f /etc/$f)" "$root/etc/$f"; done
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive HOME=/root chroot "$root" /bin/sh -ec "$script"`;

const SCRIPT = `
dpkg --audit
test -z "$(dpkg --audit)"
apt-get -q update -o APT::Sandbox::User=root
apt-get -q check
apt-get -q -y -o Dpkg::Use-Pty=0 -o APT::Sandbox::User=root upgrade | tee /tmp/upgrade
grep -q '^0 upgraded, 0 newly installed, 0 to remove' /tmp/upgrade
apt-get -q -y -o Dpkg::Use-Pty=0 -o APT::Sandbox::User=root --no-install-recommends install less
less --version | head -n 1
apt-get -q -y -o Dpkg::Use-Pty=0 -o APT::Sandbox::User=root --reinstall install tzdata
apt-get -q -y -o Dpkg::Use-Pty=0 purge less
test -z "$(dpkg --audit)"
`;

for (const name of ['bookworm-web', 'trixie-web'])
  test(`the real apt goes on with a patched ${name}`, { timeout: 900_000 }, async (t) => {
    const reason = needCase('debian', name);
    if (reason !== undefined) return t.skip(reason);
    const work = mkdtempSync(join(tmpdir(), 'onlay-later-'));
    try {
      const layout = join(work, 'image');
      cpSync(join(out, name, 'base'), layout, { recursive: true });
      const run = await onlay([
        'patch',
        '-i',
        `oci:${layout}:base`,
        '-t',
        `oci:${layout}:patched`,
        '--json',
        '--cache-dir',
        join(out, '.cache', 'onlay'),
      ]);
      assert.equal(run.status, 0, run.stderr);
      execFileSync('umoci', ['unpack', '--image', `${layout}:patched`, join(work, 'bundle')], {
        stdio: 'ignore',
      });
      const env = { ...process.env, root: join(work, 'bundle', 'rootfs'), script: SCRIPT };
      const later = spawnSync(
        'unshare',
        ['--mount', '--propagation', 'private', 'bash', '-euo', 'pipefail', '-c', IN_ROOT],
        { env, encoding: 'utf8', timeout: 600_000 },
      );
      assert.equal(later.status, 0, `${later.stdout.slice(-3000)}\n${later.stderr.slice(-2000)}`);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
