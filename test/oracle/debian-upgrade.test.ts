// Whole images with upgrades pending, upgraded by the real apt and by us: every path, mode, owner, content, the status
// file and info/ must be the same. The trees are made by the Debian oracle beside the project (make-case.sh), which
// keeps them below its output directory; ONLAY_ORACLE names that directory.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dpkg } from '../../src/packages/dpkg/family.ts';
import { readStatus } from '../../src/packages/dpkg/status.ts';
import type { StatusRecord } from '../../src/packages/dpkg/status.ts';
import { upgradeView } from '../support/dpkg-parity.ts';
import type { DebFile } from '../support/dpkg-parity.ts';
import { needCase, oracleFolder } from '../support/oracle-case.ts';
import { differences, missingTools, rootFromDirectory } from '../support/root-from-directory.ts';

const trees = join(oracleFolder, '.cache', 'debian');

/** What maintainer scripts write; src/effects stands for them. */
const EFFECTS =
  /^etc\/ld\.so\.cache$|^etc\/ca-certificates\.conf(?:\.dpkg-old)?$|^etc\/ssl\/certs\/|\/__pycache__\/|^var\/cache\/debconf\//;
/** dpkg leaves the new text beside a conffile that is a symlink, and never looks at it again. */
const LEFT = 'etc/nginx/proxy_params.dpkg-new';

interface Case {
  readonly name: string;
  readonly before: string;
  readonly expected: string;
  /** `apt install --only-upgrade` of names, not `apt upgrade`. */
  readonly byName?: true;
}

const CASES: readonly Case[] = [
  ...[
    'bookworm-slim',
    'bookworm-web',
    'bookworm-full',
    'bookworm-conffiles',
    'trixie-slim',
    'trixie-web',
  ].map((name) => ({
    name,
    before: name,
    expected: `expected.${name}`,
  })),
  { name: 'bookworm-report', before: 'bookworm-web', expected: 'expected.bookworm-report', byName: true },
  { name: 'distroless', before: 'distroless.base', expected: 'distroless.expected' },
];

for (const { name, before, expected, byName } of CASES)
  test(`${name}: the upgraded image is what apt makes of it`, { timeout: 600_000 }, async (t) => {
    const missing = missingTools('tar') ?? needCase('debian', name);
    if (missing !== undefined) return t.skip(missing);
    const root = await rootFromDirectory(join(trees, before), dpkg.captures);
    const real = await rootFromDirectory(join(trees, expected), () => false);
    const debs = pending(join(trees, before), join(trees, expected)).map((deb) =>
      byName ? { ...deb, reason: 'requested' as const } : deb,
    );
    assert.ok(debs.length > 0);
    const { draft, installation } = await upgradeView(root, debs);
    const found = [...differences(real, draft)].filter(([path]) => !EFFECTS.test(path) && path !== LEFT);
    assert.deepEqual(found, []);
    assert.deepEqual(installation.warnings, []);
    t.diagnostic(`${debs.length} packages, ${draft.changes().changes.length} changes`);
  });

/** The packages that the real tool upgraded, as files. */
function pending(before: string, expected: string): DebFile[] {
  const old = readRecords(before);
  return readRecords(expected)
    .filter(
      ({ name, arch, version }) =>
        !old.some((other) => other.name === name && other.arch === arch && other.version === version),
    )
    .map(({ name, version, arch }) => {
      const file = `${name}_${version.replaceAll(':', '%3a')}_${arch}.deb`;
      const folder = [join(trees, 'debs'), join(trees, 'distroless', 'new')].find((candidate) =>
        existsSync(join(candidate, file)),
      );
      if (folder === undefined) throw new Error(`the oracle has no ${file}`);
      return { name, version, arch, bytes: readFileSync(join(folder, file)) };
    });
}

function readRecords(root: string): StatusRecord[] {
  const status = join(root, 'var/lib/dpkg/status');
  if (existsSync(status)) return readStatus(readFileSync(status, 'latin1'), status);
  const directory = join(root, 'var/lib/dpkg/status.d');
  return readdirSync(directory)
    .filter((name) => !name.endsWith('.md5sums'))
    .flatMap((name) => readStatus(readFileSync(join(directory, name), 'latin1'), name));
}
