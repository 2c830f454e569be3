// `onlay diff A B`: packages and files that differ between two images.
import { OnlayError } from '../../errors.ts';
import { diffFiles, diffPackages } from '../../patch/diff.ts';
import { openImages } from '../../patch/open-tree.ts';
import type { OpenedImage } from '../../patch/open-tree.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { readPlatforms } from '../inputs.ts';
import type { RunStreams } from '../streams.ts';
import { openSource } from '../places.ts';
import { openSession } from '../session.ts';
import type { Session } from '../session.ts';
import { printLines } from '../terminal.ts';
import type { InspectFlags } from './inspect.ts';

export async function diff(
  before: string,
  after: string,
  flags: InspectFlags,
  streams: RunStreams,
): Promise<number> {
  await using session = await openSession(flags, streams);
  const [a, b] = [await read(before, flags, session), await read(after, flags, session)];
  session.terminal.close();
  const differences = [];
  for (const old of a) {
    const platform = formatPlatform(old.image.platform);
    const fresh =
      b.length === 1 && a.length === 1
        ? b[0]
        : b.find(({ image }) => formatPlatform(image.platform) === platform);
    if (!fresh)
      throw new OnlayError('PLATFORM_NOT_FOUND', `${after} has no ${platform}, ${before} has`, {
        hint: 'choose one with --platform',
      });
    differences.push({
      platform,
      before: old.image.document.descriptor.digest,
      after: fresh.image.document.descriptor.digest,
      packages: diffPackages(old.tree?.database.packages ?? [], fresh.tree?.database.packages ?? []),
      files: diffFiles(old.root, fresh.root),
    });
  }
  if (flags.json)
    streams.stdout.write(`${JSON.stringify({ schemaVersion: 1, platforms: differences }, null, 2)}\n`);
  else
    for (const { platform, packages, files } of differences)
      printLines(streams.stdout, [
        `${platform}: ${packages.length} packages, ${files.length} files`,
        ...packages.map(
          (item) => `  ${item.name} ${item.arch}: ${item.before ?? '(none)'} → ${item.after ?? '(none)'}`,
        ),
        ...files.map(
          ({ path, change, fields }) =>
            `  ${change} ${path}${fields.length > 0 ? ` (${fields.join(', ')})` : ''}`,
        ),
      ]);
  return 0;
}

async function read(name: string, flags: InspectFlags, session: Session): Promise<readonly OpenedImage[]> {
  await using source = await openSource(name, session);
  const found: OpenedImage[] = [];
  const context = {
    cache: session.cache,
    log: session.terminal.log,
    progress: session.terminal.progress,
    signal: session.signal,
    concurrency: 4,
    onPulled: () => undefined,
  };
  for await (const opened of openImages(source, readPlatforms(flags.platform), context)) found.push(opened);
  return found;
}
