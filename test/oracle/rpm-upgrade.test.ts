// Random packages upgraded by real `rpm -U --noscripts` on one copy of a root and by us on another: same tree, same
// database, no new complaint of `rpm -Va`; what rpm refuses we refuse.
import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  appendFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { hasCode, messageOf } from '../../src/errors.ts';
import { upgradeDirectory } from '../support/rpm-family.ts';
import { NO_RPM, rpmSystem, type RpmSystem } from '../support/rpm-system.ts';
import { runTool } from '../support/tool.ts';
import { randomUpgrade, type Edit } from './rpm-random.ts';

const SEEDS = Number(process.env['RPM_UPGRADE_SEEDS'] ?? 40);
const FIRST = Number(process.env['RPM_UPGRADE_FIRST'] ?? 1);

test('random packages are upgraded as rpm does', { timeout: 600_000 }, async (t) => {
  using system = rpmSystem();
  if (!system) return t.skip(NO_RPM);
  let compared = 0;
  let refused = 0;
  const wrong: string[] = [];
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    try {
      const outcome = await compare(system, seed);
      if (outcome === 'same') compared++;
      if (outcome === 'refused') refused++;
    } catch (error) {
      wrong.push(`seed ${seed}: ${messageOf(error)}`);
    }
  }
  t.diagnostic(`${compared} upgrades are the same, ${refused} were refused by both, ${wrong.length} differ`);
  assert.equal(wrong.slice(0, 10).join('\n\n'), '');
  assert.ok(compared > SEEDS / 3);
});

async function compare(system: RpmSystem, seed: number): Promise<'same' | 'refused' | 'not built'> {
  const one = randomUpgrade(seed);
  const options = ['--nodeps', '--nosignature', ...one.options];
  const root = system.makeRoot(`${seed}`);
  try {
    const installed = system.rpm(root, '-i', ...options, ...system.write(`${seed}-1`, one.before));
    if (installed.status !== 0 || one.after.length === 0) return 'not built';
    for (const change of one.edits) edit(root, change);
    const theirs = system.copyRoot(root, `${seed}-theirs`);
    const ours = system.copyRoot(root, `${seed}-ours`);
    const upgraded = system.rpm(
      theirs,
      '-U',
      '--noscripts',
      ...options,
      // packages without dependencies are taken from the last to the first
      ...system.write(`${seed}-2`, one.after).toReversed(),
    );
    const failure = await upgradeDirectory(ours, one.after).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (upgraded.status !== 0) {
      assert.ok(
        hasCode(failure, 'CONFLICT'),
        `rpm refuses (${upgraded.stderr}), we say ${messageOf(failure)}`,
      );
      return 'refused';
    }
    assert.equal(failure, undefined, messageOf(failure));
    equalLines('tree', listing(ours), listing(theirs));
    equalLines('database', packagesOf(system, ours), packagesOf(system, theirs));
    const complaints = new Set(verify(system, theirs));
    equalLines(
      'rpm -Va',
      verify(system, ours).filter((line) => !complaints.has(line)),
      [],
    );
    return 'same';
  } finally {
    for (const name of ['', '-1', '-2', '-theirs', '-ours'])
      rmSync(join(system.directory, `${seed}${name}`), { recursive: true, force: true });
  }
}

/** Type, mode, owner, size, content, link and number of names of everything but the database. */
function listing(root: string): readonly string[] {
  const script =
    "find . -path ./var/lib/rpm -prune -o -type d -printf '%y %m %U:%G %p\\n' -o -printf '%y %m %U:%G %n %s %p %l\\n' | sort; " +
    'find . -path ./var/lib/rpm -prune -o -type f -print0 | sort -z | xargs -0r sha256sum; ' +
    'find . -path ./var/lib/rpm -prune -o -type f -exec getcap {} + | sort';
  return runTool('sh', ['-c', script], { cwd: root }).toString().split('\n');
}

/** With what became of every file. */
function packagesOf(system: RpmSystem, root: string): readonly string[] {
  const { stdout } = system.rpm(
    root,
    '-qa',
    '--qf',
    '[%{=NAME}-%{=VERSION}.%{=ARCH} %{FILENAMES} %{FILESTATES}\\n]',
  );
  return stdout.split('\n').sort();
}

function equalLines(what: string, ours: readonly string[], theirs: readonly string[]): void {
  const [mine, real] = [new Set(ours), new Set(theirs)];
  const lines = [
    ...theirs.filter((line) => !mine.has(line)).map((line) => `rpm:  ${line}`),
    ...ours.filter((line) => !real.has(line)).map((line) => `ours: ${line}`),
  ];
  assert.equal(lines.join('\n'), '', `${what}\n${lines.join('\n')}`);
}

function verify(system: RpmSystem, root: string): readonly string[] {
  return system.rpm(root, '-Va', '--nodeps').stdout.split('\n');
}

function edit(root: string, { path, how }: Edit): void {
  const file = join(root, path);
  if (lstatSync(dirname(file), { throwIfNoEntry: false })?.isFile()) return;
  const present = lstatSync(file, { throwIfNoEntry: false });
  if (how === 'into-directory' || how === 'move-directory') {
    if (!present?.isDirectory()) return;
    if (how === 'into-directory') writeFileSync(join(file, 'mine'), 'mine');
    else {
      renameSync(file, `${file}.moved`);
      symlinkSync(`${basename(file)}.moved`, file);
    }
    return;
  }
  if (how === 'create') {
    if (present) return;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, 'user made');
  } else if (!present || present.isDirectory()) return;
  else if (how === 'delete') unlinkSync(file);
  else if (how === 'link') {
    unlinkSync(file);
    symlinkSync('userlink', file);
  } else if (!present.isFile()) return;
  else if (how === 'append') appendFileSync(file, 'edit');
  else if (how === 'chmod') chmodSync(file, 0o600);
  else {
    unlinkSync(file);
    writeFileSync(file, 'other');
  }
}
