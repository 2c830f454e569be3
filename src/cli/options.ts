// Flags that several commands share, and their parsing. What a value means is decided once, here; commands get exact
// types. Each has its environment variable (environment.ts).
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { OnlayError } from '../errors.ts';
import { PROGRESS_MODES } from './terminal.ts';
import type { ProgressMode } from './terminal.ts';

/** `-i/--image` and what selects and reaches it. */
export interface SourceFlags {
  readonly image: string;
  readonly platform?: readonly string[];
}

export interface TransportFlags {
  readonly ca?: readonly string[];
  readonly insecure?: readonly string[];
  readonly plainHttp?: readonly string[];
  readonly authfile?: string;
  readonly trustedRealm?: readonly string[];
  readonly cacheDir?: string;
  readonly cache: boolean;
}

export interface OutputFlags {
  readonly progress: ProgressMode;
  readonly debug?: boolean;
  readonly json?: boolean;
  readonly timeout: string;
}

export interface PlanFlags {
  readonly report?: string;
  readonly scanner: string;
  readonly mirror?: readonly string[];
  readonly repo?: readonly string[];
  readonly trustKey?: readonly string[];
  readonly onlyTrustKeys?: boolean;
  readonly allowUnsigned?: boolean;
  readonly severity?: readonly string[];
  readonly cve?: readonly string[];
  readonly package?: readonly string[];
  readonly ignorePackage?: readonly string[];
  readonly allowNew?: boolean;
  readonly new: boolean;
  readonly ignoreErrors?: boolean;
  readonly exitOnEol?: boolean;
  readonly pkgTypes: string;
}

export interface ApplyFlags {
  readonly tag?: string;
  readonly tagSuffix: string;
  readonly push?: boolean;
  readonly ociDir?: string;
  readonly loader?: 'docker' | 'podman';
  readonly dryRun?: boolean;
  readonly plan?: string;
  readonly rebase?: boolean;
  readonly scripts: 'report' | 'fail';
  readonly compression: 'gzip' | 'zstd' | 'uncompressed';
  readonly sourceDateEpoch?: string;
  readonly exitCodeUnchanged: string;
  // accepted for copa's sake
  readonly addr?: string;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly forceCompression?: boolean;
  readonly workingFolder?: string;
  readonly eolApiUrl?: string;
  readonly libraryPatchLevel?: string;
  readonly format?: string;
}

export function addSourceFlags(command: Command): Command {
  return command
    .addOption(
      flag(
        '-i, --image <ref>',
        'image to read: registry reference, oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE, -',
      ),
    )
    .addOption(platformFlag());
}

/** Commander's own check of what must be given comes before the environment is looked at. */
export function requireImage(command: Command): void {
  if (!command.options.some(({ long }) => long === '--image')) return;
  if (command.getOptionValue('image') !== undefined) return;
  throw new OnlayError('USAGE', 'No image is given', { hint: 'name it: -i registry.example/team/web:1.4' });
}

export function platformFlag(): Option {
  return items(
    '--platform <list>',
    'platforms of a multi-platform image, as linux/amd64,linux/arm64 (default: all)',
  );
}

export function addTransportFlags(command: Command): Command {
  return command
    .addOption(
      list('--ca <file>', 'additional certificate authority (PEM) for registries and mirrors, repeatable'),
    )
    .addOption(list('--insecure <host>', 'do not verify the TLS certificate of this registry, repeatable'))
    .addOption(list('--plain-http <host>', 'reach this registry without TLS, repeatable'))
    .addOption(flag('--authfile <file>', 'credentials file in the format of docker and podman'))
    .addOption(
      list(
        '--trusted-realm <host>',
        'send credentials to this token server although it is on another domain than its registry, repeatable',
      ),
    )
    .addOption(
      flag(
        '--cache-dir <dir>',
        "keep indexes of layers, repository indexes and packages here (default: the user's cache folder)",
      ),
    )
    .addOption(flag('--no-cache', 'use no cache').default(true));
}

export function addOutputFlags(command: Command): Command {
  return command
    .addOption(flag('--progress <mode>', 'how progress is shown').choices(PROGRESS_MODES).default('auto'))
    .addOption(flag('--json', 'print one result document on standard output'))
    .addOption(flag('--timeout <duration>', 'give up after this long, as 90s, 5m, 1h30m').default('30m'))
    .addOption(flag('--debug', 'log every request and show stack traces'));
}

/** Where packages come from and who may sign them. */
export function addRepositoryFlags(command: Command): Command {
  return command
    .addOption(
      list('--mirror <from=to>', 'fetch URLs that begin with FROM from TO (URL or directory), repeatable'),
    )
    .addOption(
      list(
        '--repo <spec>',
        "use these repositories instead of the image's: a deb line, an apk URL, or id=URL for rpm, repeatable",
      ),
    )
    .addOption(list('--trust-key <file>', 'additional key that signs repositories, repeatable'))
    .addOption(flag('--only-trust-keys', 'trust no key but those of --trust-key'))
    .addOption(
      flag('--allow-unsigned', 'use repositories without a valid signature; recorded in the result'),
    );
}

export function addPlanFlags(command: Command): Command {
  return addRepositoryFlags(command)
    .addOption(
      flag(
        '-r, --report <path>',
        'scanner report, or a folder with one for each platform; without it everything is updated',
      ),
    )
    .addOption(
      flag('-s, --scanner <name>', 'format of the report; it is recognised by content').default('trivy'),
    )
    .addOption(
      items('--severity <list>', 'only findings of the report of these severities, as CRITICAL,HIGH'),
    )
    .addOption(items('--cve <list>', 'only these vulnerabilities of the report'))
    .addOption(list('--package <glob>', 'only packages that match, repeatable'))
    .addOption(list('--ignore-package <glob>', 'leave packages that match, repeatable'))
    .addOption(flag('--allow-new', 'install further packages when a dependency requires them (the default)'))
    .addOption(flag('--no-new', 'never install packages that are not installed').default(true))
    .addOption(flag('--ignore-errors', 'go on without fixes and platforms that are not possible'))
    .addOption(flag('--exit-on-eol', 'refuse a release that is past its end of life'))
    .addOption(
      flag('--pkg-types <list>', 'kinds of packages to patch: os')
        .argParser((value) =>
          value === 'os' ? value : refuse('language packages are not patched by this version; choose os'),
        )
        .default('os'),
    );
}

export function addApplyFlags(command: Command): Command {
  return command
    .addOption(
      flag('-t, --tag <tag|ref>', 'tag or reference of the result (default: the tag with the suffix)'),
    )
    .addOption(flag('--tag-suffix <text>', 'suffix of the default tag').default('patched'))
    .addOption(flag('-p, --push', 'push the result to the registry'))
    .addOption(flag('--oci-dir <dir>', 'write the result to an OCI image layout'))
    .addOption(
      flag('-l, --loader <program>', 'load the result into docker or podman').choices(['docker', 'podman']),
    )
    .addOption(flag('--dry-run', 'stop after the plan, as `onlay plan`'))
    .addOption(flag('--plan <file>', 'apply exactly this plan, without solving'))
    .addOption(flag('--rebase', 'start over from the base of an earlier patch, where its tag has moved'))
    .addOption(
      flag('--scripts <policy>', 'what a maintainer script that is not emulated means')
        .choices(['report', 'fail'])
        .default('report'),
    )
    .addOption(
      flag('--compression <kind>', 'compression of the new layer')
        .choices(['gzip', 'zstd', 'uncompressed'])
        .default('gzip'),
    )
    .addOption(epochFlag())
    .addOption(
      flag('--exit-code-unchanged <status>', 'exit status when nothing needed patching').default('0'),
    )
    .addOption(hidden('-a, --addr <address>'))
    .addOption(hidden('--cacert <file>'))
    .addOption(hidden('--cert <file>'))
    .addOption(hidden('--key <file>'))
    .addOption(hidden('--force-compression'))
    .addOption(hidden('-w, --working-folder <dir>'))
    .addOption(hidden('--eol-api-url <url>'))
    .addOption(hidden('--library-patch-level <level>'))
    .addOption(hidden('-f, --format <kind>'))
    .addOption(
      hidden('-o, --output <file>').argParser(() =>
        refuse('VEX documents are not written by this version; the result of --json names what was fixed'),
      ),
    )
    .addOption(
      hidden('--config <file>').argParser(() =>
        refuse('lists of images are not read by this version; run once for each image'),
      ),
    );
}

function refuse(why: string): never {
  throw new InvalidArgumentError(why);
}

/** What of copa's flags was given and has no meaning here. */
export function ignoredFlags(flags: ApplyFlags): readonly string[] {
  const given: Readonly<Record<string, unknown>> = {
    '--addr': flags.addr,
    '--cacert': flags.cacert,
    '--cert': flags.cert,
    '--key': flags.key,
    '--force-compression': flags.forceCompression,
    '--working-folder': flags.workingFolder,
    '--eol-api-url': flags.eolApiUrl,
    '--library-patch-level': flags.libraryPatchLevel,
    '--format': flags.format,
  };
  return Object.keys(given).filter((name) => given[name] !== undefined);
}

export function flag(flags: string, description: string): Option {
  return new Option(flags, description);
}

export function epochFlag(): Option {
  return flag('--source-date-epoch <seconds>', 'time for all that is made (also: SOURCE_DATE_EPOCH)');
}

/** Repeatable: values are collected. From the environment: one value a line. */
function list(flags: string, description: string): Option {
  const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [
    ...(before ?? []),
    ...value.split('\n').filter((item) => item !== ''),
  ];
  return flag(flags, description).argParser(collect);
}

/** Comma-separated, repeatable. */
function items(flags: string, description: string): Option {
  const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [
    ...(before ?? []),
    ...value
      .split(/[,\n]/)
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  ];
  return flag(flags, description).argParser(collect);
}

function hidden(flags: string): Option {
  return new Option(flags).hideHelp();
}
