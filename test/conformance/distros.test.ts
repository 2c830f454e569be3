// Every distro of src/distros/index.ts: recognised by its real os-release, and its data sound. A new distro is tested by
// its line there; fixtures are fixtures/distros/ID-RELEASE (ID alone: of no release that is known) with the os-release
// and version files of real images.
import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { compareBytes } from '../../src/base/bytes.ts';
import { silentLog } from '../../src/base/log.ts';
import { detectDistro, findRelease } from '../../src/distros/detect.ts';
import type { DistroDefinition } from '../../src/distros/definition.ts';
import { distros } from '../../src/distros/index.ts';
import { parseRepositories } from '../../src/packages/apk/repositories.ts';
import type { Distro, DistroKey, DistroQuirks, DistroRelease } from '../../src/packages/distro.ts';
import { readSourceLines } from '../../src/packages/dpkg/sources.ts';
import { families } from '../../src/packages/index.ts';
import type { FamilyName } from '../../src/packages/package.ts';
import { parseRepositoryOption } from '../../src/packages/rpm/repositories/configuration.ts';
import { rootPath } from '../../src/rootfs/path.ts';
import type { RootView } from '../../src/rootfs/root-view.ts';
import { readKeyring } from '../../src/trust/keyring.ts';
import { memoryRoot } from '../support/memory-root.ts';
import { projectRoot } from '../support/project.ts';

const FOLDER = join(projectRoot, 'fixtures', 'distros');
const ARCHITECTURES = ['amd64', '386', 'arm64', 'arm', 's390x', 'ppc64le', 'riscv64'];

interface Fixture {
  readonly name: string;
  readonly definition: DistroDefinition;
  /** As the folder's name says. */
  readonly release: string | undefined;
  readonly osRelease: string;
  /** File name → content: what older or smaller images have instead. */
  readonly versionFiles: ReadonlyMap<string, string>;
}

function readFixture(name: string): Fixture {
  const definition = distros
    .filter(({ id }) => name === id || name.startsWith(`${id}-`))
    .sort((a, b) => b.id.length - a.id.length)[0];
  assert.ok(definition, `fixtures/distros/${name} is of no distro in src/distros/index.ts`);
  const read = (file: string): string => readFileSync(join(FOLDER, name, file), 'utf8');
  const files = readdirSync(join(FOLDER, name)).sort();
  assert.deepEqual(
    [...read('ORIGIN').matchAll(/^(\S+): \S/gm)].map(([, file = '']) => file).sort(compareBytes),
    files.filter((file) => file !== 'ORIGIN'),
    `fixtures/distros/${name}/ORIGIN has a line for each file`,
  );
  return {
    name,
    definition,
    release: name.slice(definition.id.length + 1) || undefined,
    osRelease: read('os-release'),
    versionFiles: new Map(
      files.filter((file) => !['ORIGIN', 'os-release'].includes(file)).map((file) => [file, read(file)]),
    ),
  };
}

const fixtures = readdirSync(FOLDER).sort().map(readFixture);

/** A field as a shell would read it, by other means than the code under test. */
function shellValue(text: string, name: string): string {
  return new RegExp(`^${name}=(["']?)(.*)\\1$`, 'm').exec(text)?.[2] ?? '';
}

function detect(root: RootView): Distro {
  const { distro } = detectDistro(root, { architecture: 'amd64' });
  assert.ok(distro, 'detected');
  return distro;
}

for (const { name, definition, release, osRelease, versionFiles } of fixtures) {
  test(`${name}: os-release is recognised, with its release`, () => {
    const id = shellValue(osRelease, 'ID');
    const versionId = shellValue(osRelease, 'VERSION_ID');
    assert.ok([definition.id, ...(definition.aliases ?? [])].includes(id), `ID=${id}`);
    if (release !== undefined)
      assert.ok(versionId === release || versionId.startsWith(`${release}.`), `VERSION_ID=${versionId}`);
    for (const root of [
      memoryRoot({ 'etc/os-release': osRelease }),
      memoryRoot({ 'usr/lib/os-release': osRelease }),
      memoryRoot({ 'usr/lib/os-release': osRelease, 'etc/os-release': { link: '../usr/lib/os-release' } }),
    ]) {
      const distro = detect(root);
      assert.equal(distro.id, definition.id);
      assert.equal(distro.family, definition.family);
      assert.equal(distro.release?.version, release);
      assert.equal(distro.osRelease.versionId, versionId);
      assert.equal(distro.osRelease.prettyName, shellValue(osRelease, 'PRETTY_NAME'));
      const codename = shellValue(osRelease, 'VERSION_CODENAME');
      if (codename !== '' && distro.release?.codename !== undefined)
        assert.equal(distro.release.codename, codename);
    }
  });

  for (const [file, content] of versionFiles)
    test(`${name}: ${file} alone is recognised, with the same release`, () => {
      const path = definition.versionFile?.path ?? '';
      assert.equal(basename(path), file);
      const distro = detect(memoryRoot({ [path]: content }));
      assert.equal(distro.id, definition.id);
      assert.equal(distro.release?.version, release);
    });
}

test('an os-release of none of the distros is not recognised, whatever it is like', () => {
  for (const text of ['ID=plan9\nID_LIKE="debian rhel alpine"\n', 'NAME="Debian GNU/Linux"\n', ''])
    assert.equal(
      detectDistro(memoryRoot({ 'etc/os-release': text, 'etc/debian_version': '12.5\n' }), {
        architecture: 'amd64',
      }).distro,
      undefined,
      text,
    );
});

test('no two distros share an ID, an alias, a name or a version file', () => {
  for (const values of [
    distros.flatMap(({ id, aliases }) => [id, ...(aliases ?? [])]),
    distros.map(({ name }) => name),
    distros.flatMap(({ versionFile }) => versionFile?.path ?? []),
  ])
    assert.deepEqual(values, [...new Set(values)]);
});

test('fixtures cover the distros', (t) => {
  const missing = distros.filter(({ id }) => !fixtures.some(({ definition }) => definition.id === id));
  const versionFiles = distros.filter(
    ({ id, versionFile }) =>
      versionFile &&
      !fixtures.some((fixture) => fixture.definition.id === id && fixture.versionFiles.size > 0),
  );
  if (missing.length > 0) t.diagnostic(`without an os-release: ${missing.map(({ id }) => id).join(', ')}`);
  if (versionFiles.length > 0)
    t.diagnostic(`without a version file: ${versionFiles.map(({ id }) => id).join(', ')}`);
  for (const { name, definition, release } of fixtures)
    if (release === undefined && definition.releases.length > 0)
      t.diagnostic(`${name}: the fixture is of a release that is not listed`);
  assert.ok(missing.length < distros.length);
});

const QUIRKS: Readonly<Record<keyof DistroQuirks, (value: unknown) => boolean>> = {
  apkUnsortedDatabase: (value) => typeof value === 'boolean',
  rpmColor: (value) => value === 0 || value === 3,
  vendorSticky: (value) => typeof value === 'boolean',
  rpmSourceAdvisories: (value) => typeof value === 'boolean',
  rpmReleaseVersion: (value) => typeof value === 'string' && value !== '',
};

/** The base URLs that the family makes of a distro's default repositories. */
const PARSERS: Readonly<
  Record<FamilyName, (lines: readonly string[], architecture: string) => readonly string[]>
> = {
  dpkg: (lines, architecture) =>
    readSourceLines(lines, { origin: 'defaults', root: memoryRoot({}), architecture }).flatMap(
      ({ bases, suite, components }) => {
        assert.match(suite, /^[a-z][a-z0-9/-]*$/);
        assert.ok(components.includes('main'));
        return bases;
      },
    ),
  apk: (lines, architecture) =>
    parseRepositories(lines, architecture, silentLog).map(({ indexUrl }) => indexUrl),
  rpm: (lines, architecture) => {
    const variables = new Map([['basearch', architecture]]);
    const read = lines.map((line) => parseRepositoryOption(line, variables));
    const ids = read.map(({ id }) => id);
    assert.deepEqual(ids, [...new Set(ids)], 'repository ids are unique');
    return read.flatMap(({ baseUrls }) => baseUrls);
  },
};

function assertUrl(text: string): void {
  const url = new URL(text);
  assert.match(url.protocol, /^https?:$/);
  assert.equal(url.username + url.password + url.search + url.hash, '', text);
  assert.doesNotMatch(url.pathname, /\/\/|[$%{}]|undefined|null/, text);
  assert.match(url.hostname, /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/);
}

async function assertKey({ name, text }: DistroKey): Promise<void> {
  if (text.startsWith('-----BEGIN PUBLIC KEY-----')) {
    const key = createPublicKey(text);
    assert.equal(key.asymmetricKeyType, 'rsa', name);
    assert.ok((key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048, name);
    return;
  }
  const { keys, unusable } = await readKeyring(Buffer.from(text), name);
  assert.deepEqual(unusable, [], name);
  assert.ok(keys.length > 0, name);
}

/** Newest last: by number, or by its end where a distro began to count anew (Amazon Linux 2018.03, 2). */
function isBefore(a: DistroRelease, b: DistroRelease): boolean {
  const [left = [], right = []] = [a, b].map(({ version }) => version.split('.').map(Number));
  const index = left.findIndex((part, i) => part !== right[i]);
  if (index !== -1 && (left[index] ?? 0) < (right[index] ?? 0)) return true;
  return a.endOfLife !== undefined && b.endOfLife !== undefined && a.endOfLife < b.endOfLife;
}

for (const definition of distros) {
  const { id, family, releases } = definition;

  test(`${id}: ID, aliases and version file have their form, and what recognises it is kept`, () => {
    for (const value of [id, ...(definition.aliases ?? [])]) assert.match(value, /^[a-z0-9][a-z0-9._-]*$/);
    const captured = (path: string): boolean =>
      families.some((candidate) => candidate.captures(rootPath(path), 100));
    assert.ok(captured('etc/os-release') && captured('usr/lib/os-release'));
    if (definition.versionFile === undefined) return;
    assert.ok(captured(definition.versionFile.path), definition.versionFile.path);
    for (const content of ['', '\n', 'sid\n', '\u0000\u00ff'.repeat(50_000), '1'.repeat(100_000)])
      assert.doesNotThrow(() => definition.versionFile?.version(content));
  });

  test(`${id}: releases are sorted, unique, and found by their versions`, () => {
    for (const [index, release] of releases.entries()) {
      const { version, codename } = release;
      assert.match(version, /^\d+(?:\.\d+)*$/);
      const before = releases[index - 1];
      if (before) assert.ok(isBefore(before, release), `${before.version} before ${version}`);
      assert.equal(findRelease(releases, version, ''), release);
      assert.equal(findRelease(releases, `${version}.7`, ''), release);
      assert.notEqual(findRelease(releases, `${version}99`, ''), release);
      if (codename !== undefined) assert.equal(findRelease(releases, '', codename), release);
    }
  });

  test(`${id}: ends of life are dates`, () => {
    for (const { version, endOfLife } of releases) {
      if (endOfLife === undefined) continue;
      const date = new Date(`${endOfLife}T00:00:00Z`);
      assert.ok(!Number.isNaN(date.getTime()), `${version}: ${endOfLife}`);
      assert.equal(date.toISOString().slice(0, 10), endOfLife, version);
    }
  });

  test(`${id}: default repositories of every release and architecture are read by ${family}`, () => {
    for (const release of [undefined, ...releases])
      for (const architecture of ARCHITECTURES) {
        const lines = definition.repositories(release, { architecture });
        const urls = PARSERS[family](lines, architecture);
        assert.equal(urls.length, lines.length);
        for (const url of urls) assertUrl(url);
        if (release === undefined && releases.length > 0)
          assert.deepEqual(lines, [], 'nothing is guessed for a release that is not known');
        else if (release !== undefined && family !== 'rpm')
          assert.ok(lines.length > 0, `${release.version} has repositories`);
      }
  });

  test(`${id}: keys can be read`, async () => {
    const names = (definition.keys ?? []).map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)]);
    for (const key of definition.keys ?? []) await assertKey(key);
  });

  test(`${id}: quirks are known ones, for every release`, () => {
    const osRelease = { id, idLike: [], versionId: '', codename: '', prettyName: '', platformId: '' };
    for (const release of [undefined, ...releases])
      for (const [quirk, value] of Object.entries(definition.quirks?.(release, osRelease) ?? {})) {
        const isValid = Object.hasOwn(QUIRKS, quirk) ? QUIRKS[quirk as keyof DistroQuirks] : undefined;
        assert.ok(isValid?.(value), `${quirk}: ${String(value)}`);
      }
  });
}
