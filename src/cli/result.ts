// What a run prints at its end: the result document, or lines for people.
import type { OnlayError } from '../errors.ts';
import type { Outcome, PlatformOutcome } from '../patch/outcome.ts';
import { RESULT_VERSION } from '../patch/outcome.ts';
import type { PatchRun } from '../patch/patch.ts';
import { errorOutcome } from '../patch/platform-outcome.ts';
import type { Streams } from './streams.ts';
import type { Terminal } from './terminal.ts';
import { formatBytes, printLines } from './terminal.ts';
import { TOOL } from './tool.ts';

/** The document of a run that ended before anything was known of the image. */
export function errorDocument(error: OnlayError, warnings: readonly string[]): string {
  const outcome: Outcome = {
    schemaVersion: RESULT_VERSION,
    tool: TOOL,
    changed: false,
    image: null,
    bytes: { pulled: 0, fetched: 0, pushed: 0 },
    timings: {},
    warnings,
    error: errorOutcome(error),
  };
  return document(outcome);
}

export function showOutcome(
  run: PatchRun,
  flags: { readonly json?: boolean },
  terminal: Terminal,
  streams: Streams,
): void {
  terminal.close();
  if (flags.json) streams.stdout.write(document(run.outcome));
  else printLines(streams.stdout, outcomeLines(run.outcome));
  if (run.failure) terminal.error(run.failure.message, run.failure.hint);
}

export function showPlan(run: PatchRun, streams: Streams): void {
  printLines(streams.stdout, platformsToTell(run.outcome).flatMap(planLines));
}

/** What stopped the run is told once, as its error. */
function platformsToTell({ image, error: failure }: Outcome): readonly PlatformOutcome[] {
  return (image?.platforms ?? []).filter(({ error }) => !error || error.message !== failure?.message);
}

function document(outcome: Outcome): string {
  return `${JSON.stringify(outcome, null, 2)}\n`;
}

function outcomeLines(outcome: Outcome): readonly string[] {
  const { image } = outcome;
  if (!image) return [];
  const lines = platformsToTell(outcome).flatMap(platformLines);
  if (outcome.changed) lines.push(`${image.target}@${image.digest}`);
  else if (outcome.error === undefined && image.platforms.every(({ status }) => status !== 'planned'))
    lines.push(
      `${image.source} ${isShort(image.platforms) ? 'is left as it is' : 'is up to date'}; nothing was written`,
    );
  return lines;
}

/** Something is wanted and cannot be had. */
function isShort(platforms: readonly PlatformOutcome[]): boolean {
  return platforms.some(
    ({ skipped, error }) => error !== undefined || skipped.some(({ failure }) => failure),
  );
}

function platformLines(platform: PlatformOutcome): readonly string[] {
  const { layer } = platform;
  const upgraded = platform.packages.filter(({ from, to }) => from !== null && to !== null).length;
  const added = platform.packages.filter(({ from }) => from === null).length;
  const removed = platform.packages.filter(({ to }) => to === null).length;
  const counts = [
    `${upgraded} ${upgraded === 1 ? 'package' : 'packages'} upgraded`,
    ...(added > 0 ? [`${added} added`] : []),
    ...(removed > 0 ? [`${removed} removed`] : []),
  ];
  if (platform.status === 'planned') return planLines(platform);
  if (!layer)
    return [...skippedLines(platform), ...(platform.status === 'failed' ? [leftAsItIs(platform)] : [])];
  const notRun = platform.packages.flatMap(({ name, scripts }) =>
    scripts.filter(({ action }) => action === 'not-run').map((script) => `${script.name} of ${name}`),
  );
  return [
    `${platform.platform}: ${counts.join(', ')}, layer of ${formatBytes(layer.size)}`,
    ...skippedLines(platform),
    ...(notRun.length > 0 ? [`${platform.platform}: scripts not run: ${notRun.join(', ')}`] : []),
  ];
}

function planLines(platform: PlatformOutcome): readonly string[] {
  if (platform.status === 'failed') return [leftAsItIs(platform)];
  if (platform.status === 'preserved') return [`${platform.platform}: not looked at`];
  const rows = platform.packages.map(({ name, arch, from, to, reason, cves }) => [
    name,
    arch,
    from ?? '(new)',
    to ?? '(removed)',
    reason,
    cves.length > 3 ? `${cves.slice(0, 3).join(' ')} +${cves.length - 3}` : cves.join(' '),
  ]);
  const heading = ['PACKAGE', 'ARCH', 'INSTALLED', 'TO', 'REASON', 'FIXES'];
  return [
    `${platform.platform} ${platform.distro}: ${rows.length === 0 ? 'nothing to do' : `${rows.length} packages`}`,
    ...(rows.length === 0 ? [] : table([heading, ...rows])),
    ...skippedLines(platform),
  ];
}

function leftAsItIs({ platform, error }: PlatformOutcome): string {
  return `${platform}: left as it is: ${error?.message ?? ''}`;
}

function skippedLines(platform: PlatformOutcome): readonly string[] {
  return platform.skipped
    .filter(({ reason }) => !['filtered', 'no-fix-known', 'already-fixed'].includes(reason))
    .map(({ name, reason, detail }) => `${platform.platform}: ${name} left alone (${reason}): ${detail}`);
}

function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
