// What the command shows of itself agrees with what is written down: result documents with their schema, statuses and
// error codes with the documentation, flags with descriptions, the package with what it should hold.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { exitStatus } from '../../src/cli/exit-codes.ts';
import { OnlayError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { openLayout } from '../../src/stores/layout/index.ts';
import { putImage } from '../support/images.ts';
import { file } from '../support/layers.ts';
import { onlay } from '../support/onlay.ts';
import { projectRoot } from '../support/project.ts';
import { makeLayer } from '../support/toy-debian.ts';

const read = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');
const manual = read('docs/cli.md');
const manifest = JSON.parse(read('package.json')) as { readonly name: string; readonly version: string };
const schema = JSON.parse(read('docs/result.schema.json')) as object;
const isValid = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true }).compile(schema);

/** Every member of the union ErrorCode, as its source lists them. */
const CODES: readonly ErrorCode[] = [
  ...(/export type ErrorCode =([^;]*);/.exec(read('src/errors.ts'))?.[1] ?? '').matchAll(/'([A-Z_]+)'/g),
].map(([, code]) => code as ErrorCode);

const folder = mkdtempSync(join(tmpdir(), 'onlay-output-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Name → arguments of a run that fails; nothing of it needs a network. */
async function failingRuns(): Promise<Readonly<Record<string, readonly string[]>>> {
  const store = await openLayout(join(folder, 'layout'), { create: true });
  await putImage(store, { layers: [makeLayer([file('hello', 'x')])] }, 'scratch');
  await putImage(
    store,
    {
      layers: [
        {
          bytes: Buffer.from('no tar at all'),
          diffId: digestOf(Buffer.from('no tar at all')),
          mediaType: 'application/vnd.oci.image.layer.v1.tar',
        },
      ],
    },
    'broken',
  );
  const status = 'Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n';
  for (const [tag, osRelease, database] of [
    ['plan9', 'ID=plan9\n', status],
    ['database', 'ID=debian\nVERSION_ID="12"\n', 'Package: a\nPackage: b\nno field\n'],
    ['sources', 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n', status],
  ] as const)
    await putImage(
      store,
      {
        layers: [
          makeLayer([
            file('etc/os-release', osRelease),
            file('var/lib/dpkg/status', database),
            file('etc/apt/sources.list', 'deb [ broken\n'),
          ]),
        ],
      },
      tag,
    );
  const report = join(folder, 'report.json');
  writeFileSync(report, '{"matches":[]}');
  const image = (tag: string): readonly string[] => ['-i', `oci:${folder}/layout:${tag}`];
  const target = ['-t', `oci:${folder}/layout:out`];
  return {
    'a wrong reference': ['-i', 'UPPER/x:y', '--push'],
    'no destination': image('scratch'),
    'a wrong duration': [...image('scratch'), ...target, '--timeout', 'soon'],
    'a wrong mirror': [...image('scratch'), ...target, '--mirror', 'nonsense'],
    'a missing layout': ['-i', `oci:${folder}/none:x`, ...target],
    'a missing tag': [...image('none'), ...target],
    'a missing archive': ['-i', `docker-archive:${folder}/none.tar`, ...target],
    'an unreachable registry': [
      '-i',
      '127.0.0.1:1/a/b:c',
      '--plain-http',
      '127.0.0.1:1',
      ...target,
      '--timeout',
      '2s',
    ],
    'no package database': [...image('scratch'), ...target],
    'a broken layer': [...image('broken'), ...target],
    'an unknown distro': [...image('plan9'), ...target],
    'a broken database': [...image('database'), ...target],
    'broken sources': [...image('sources'), ...target],
    'an unknown report': [...image('sources'), ...target, '-r', report],
    'a missing report': [...image('sources'), ...target, '-r', join(folder, 'none.json')],
    'a broken plan': [...image('sources'), ...target, '--plan', report],
    'a missing platform': [...image('sources'), ...target, '--platform', 'linux/mips64le'],
  };
}

test('documents of runs that fail are valid, and their status is that of their code', async () => {
  for (const [what, args] of Object.entries(await failingRuns())) {
    const run = await onlay(['patch', '--json', ...args]);
    assert.notEqual(run.stdout, '', `${what}: ${run.stderr}`);
    const { outcome } = run;
    assert.ok(isValid(outcome), `${what}: ${JSON.stringify(isValid.errors)}`);
    assert.ok(outcome.error, `${what} has an error: ${run.stdout}`);
    const code = outcome.error.code as ErrorCode;
    assert.ok(CODES.includes(code), `${what}: ${code}`);
    assert.notEqual(code, 'INTERNAL', `${what}: ${outcome.error.message}`);
    assert.equal(run.status, exitStatus(new OnlayError(code, '')), `${what}: ${code}`);
    assert.equal(outcome.changed, false, what);
    assert.ok(run.stderr.includes(`error: ${outcome.error.message}\n`), `${what}: ${run.stderr}`);
    if (outcome.error.hint !== undefined)
      assert.ok(run.stderr.includes(`hint: ${outcome.error.hint}\n`), `${what}: ${run.stderr}`);
  }
});

/** Rows of the first table below a heading of a Markdown text: status → codes. */
function statusTable(text: string, heading: string): ReadonlyMap<number, readonly string[]> {
  const section = text.slice(text.indexOf(`\n${heading}\n`)).split(/\n#+ /, 3)[1] ?? '';
  const rows = [...section.matchAll(/^\| *(\d+) *\|(.*)\|$/gm)];
  return new Map(
    rows.map(([, status, rest = '']) => [
      Number(status),
      [...rest.matchAll(/`([A-Z][A-Z_]+)`/g)].map(([, code]) => code ?? ''),
    ]),
  );
}

test('docs/cli.md has every error code once, under its status', () => {
  const documented = statusTable(manual, '## Exit status');
  const codes = [...documented.values()].flat();
  assert.deepEqual(codes, [...new Set(codes)], 'each once');
  const byStatus = new Map<number, string[]>();
  for (const code of CODES) {
    const status = exitStatus(new OnlayError(code, ''));
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  assert.ok(CODES.length > 20);
  // a defect has a code that says nothing to a user
  for (const [status, expected] of byStatus)
    if (status !== 1)
      assert.deepEqual(documented.get(status)?.toSorted(), expected.toSorted(), `status ${status}`);
  assert.deepEqual(
    [...documented.keys()].sort((a, b) => a - b),
    [...new Set([0, 1, ...byStatus.keys()])].sort((a, b) => a - b),
  );
});

test('where README and help list statuses, they are those of docs/cli.md', async () => {
  const documented = [...statusTable(manual, '## Exit status').keys()];
  const inReadme = [...read('README.md').matchAll(/^\| *(\d+) *\|/gm)].map(([, status]) => Number(status));
  for (const status of inReadme) assert.ok(documented.includes(status), `README: ${status}`);
  const { stdout } = await onlay('patch --help');
  const listed = /Exit status: ([^]*?)(?:\n\n|$)/.exec(stdout)?.[1] ?? '';
  assert.deepEqual(
    [...listed.matchAll(/(?:^|· )(\d+) /g)].map(([, status]) => Number(status)).sort((a, b) => a - b),
    documented.sort((a, b) => a - b),
  );
});

/** Names of commands in a help text. */
function commandsOf(help: string): readonly string[] {
  const section = /\nCommands:\n([^]*?)(?:\n\n|$)/.exec(help)?.[1] ?? '';
  return [...section.matchAll(/^ {2}([a-z]+)/gm)]
    .map(([, name]) => name ?? '')
    .filter((name) => name !== 'help');
}

test('every command and flag has a description, and every command is in docs/cli.md', async () => {
  const commands = commandsOf((await onlay('--help')).stdout);
  assert.ok(commands.includes('patch') && commands.includes('plan'), commands.join(' '));
  for (const command of commands) {
    const { stdout, status } = await onlay([command, '--help']);
    assert.equal(status, 0);
    assert.match(stdout, /^Usage: onlay [a-z]+/);
    const options = /\nOptions:\n([^]*?)(?:\n\n|$)/.exec(stdout)?.[1] ?? '';
    // an entry begins at two blanks and a dash; what follows is indented further
    const entries = options.split(/\n(?= {2}-)/);
    for (const entry of entries) {
      const [, flags = '', text = ''] = /^ {2}(-.*?)(?: {2,}|\n +)([^]*)$/.exec(entry) ?? [];
      assert.match(flags, /--[a-z]/, `${command}: ${entry}`);
      assert.match(
        text.replace(/\([^)]*\)/g, ''),
        /[a-z]{2,}/,
        `onlay ${command} ${flags} has no description`,
      );
    }
    assert.match(manual, new RegExp(`\`onlay ${command}\\b`), `docs/cli.md knows onlay ${command}`);
  }
});

test('flags that docs/cli.md names exist', async () => {
  const commands = commandsOf((await onlay('--help')).stdout);
  const subcommands = ['cache info', 'cache prune'];
  const helps = await Promise.all(
    [...commands, ...subcommands].map(async (command) => (await onlay(`${command} --help`)).stdout),
  );
  // accepted without being shown: those of copa that concern BuildKit
  const hidden = read('src/cli/options.ts');
  for (const [, flag] of manual.matchAll(/`(--[a-z][a-z-]+)[^`]*`/g))
    assert.ok(
      helps.some((help) => help.includes(`${flag}`)) || hidden.includes(`${flag}`) || flag === '--help',
      `${flag} is no flag`,
    );
});

test('CHANGELOG.md has an entry for the version of package.json', () => {
  const { version } = manifest;
  const headings = [...read('CHANGELOG.md').matchAll(/^## (\S+)/gm)].map(([, heading]) => heading);
  assert.equal(headings[0], version);
  assert.deepEqual(headings, [...new Set(headings)]);
});

test('the package holds the command, the library, the schema and the licence, and no tests', () => {
  const { stdout, stderr, status } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: projectRoot,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  assert.equal(status, 0, stderr);
  const [packed] = JSON.parse(stdout) as [
    { readonly version: string; readonly files: readonly { readonly path: string; readonly mode: number }[] },
  ];
  assert.equal(packed.version, manifest.version);
  const paths = packed.files.map(({ path }) => path);
  for (const path of [
    'package.json',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'docs/cli.md',
    'docs/result.schema.json',
    'bin/onlay.js',
    'dist/src/index.js',
    'dist/src/index.d.ts',
    'dist/src/cli/main.js',
    'dist/src/codec/decode-worker.js',
  ])
    assert.ok(paths.includes(path), path);
  assert.equal((packed.files.find(({ path }) => path === 'bin/onlay.js')?.mode ?? 0) & 0o111, 0o111);
  for (const path of paths) {
    assert.doesNotMatch(path, /\.test\.|(?:^|\/)(?:fixtures|bench|node_modules|\.[^/]+)(?:\/|$)|\.ts\.map$/);
    assert.match(path, /^(?:bin|dist\/src|docs|native)\/|^[^/]+$/, path);
    assert.doesNotMatch(path, /^dist\/(?:test|bench|unit)\//);
  }
});
